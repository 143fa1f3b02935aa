// Which constants are computed by a formula: tables of sines and of positions, grids, anchors,
// windows, filter banks, blurs. Nobody trained them, whatever reads them, and none of their digits
// is noise.
#pragma once

#include <span>

#include "graph/graph.h"

namespace subbyte {

// Whether the lines of a table along one of its axes are regular (quantize/series.h): nine of ten
// of those, evenly spread over the table, that are no constants.
bool holds_series(const Tensor& table);

// Whether a matrix is a bank of filters, as those of mel spectra and of interpolations are: in each
// row, or in each column, one run of positive numbers that rise and then fall, the runs in order,
// and most else 0.
bool is_filter_bank(const Tensor& matrix);

// Whether the weight of a convolution, its first two axes channels, is a fixed kernel: one and the
// same for all channels, or symmetrical about its middle, as those that blur, find edges and
// enlarge are, with few different kernels, long ones, or such of whole numbers. One that takes the
// mean is only for `each_channel_alone`, as what any weight may begin with.
bool is_fixed_kernel(const Tensor& weight, bool each_channel_alone);

// Whether a constant of the graph, of floats, is any of these, by its `readers` a kernel. What
// arrived quantized is a weight to whoever quantized it.
bool is_made_by_rule(const Graph& graph, ValueId constant, std::span<const NodeId> readers);

}  // namespace subbyte
