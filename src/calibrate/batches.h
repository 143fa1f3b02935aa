// Which samples go through a model together.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calibrate/executor.h"

namespace subbyte::calibrate {

// Whether all samples share what the node makes: it reads constants, and nothing else.
bool reads_constants_alone(const Graph& graph, NodeId node);

// The most bytes that the values of one sample take at a time, over the nodes before `end`, where a
// caller stops there and may want no outputs. Those whose shape is not known until they are
// computed count as nothing, as do those that all samples share.
std::int64_t activation_bytes(const Model& model, const Sample& sample);
std::int64_t activation_bytes_before(const Model& model, const Sample& sample, NodeId end,
                                     bool wants_outputs);

// How many of the samples, from the first, take at most `memory` bytes together so.
std::size_t samples_within(const Model& model, std::span<const Sample> samples, NodeId end,
                           bool wants_outputs, std::int64_t memory);

// Of all values of one sample together, as a run that keeps them takes.
std::int64_t kept_bytes(const Model& model, const Sample& sample);

// Of each value of one sample; none of those that all samples share.
std::vector<std::int64_t> value_bytes(const Model& model, const Sample& sample);

// Samples [0, end), [end, next end), ...: as many in each batch as fit `memory` bytes together, one
// at least.
std::vector<std::size_t> batch_ends(const Model& model, std::span<const Sample> samples,
                                    std::int64_t memory);

}  // namespace subbyte::calibrate
