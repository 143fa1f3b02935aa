// Layers and components of a model, from what its graph computes; names play no part.
//
//   attention      a softmax over a product of two projections, the product with a third, and the
//                  projection of that: MatMul and Gemm weights
//   feed_forward   two products, wider inside, with an activation between (gated ones too)
//   embedding      tables that Gather reads rows of
//   convolution    Conv and ConvTranspose weights
//   head           the products after the last of these
//   other          all else
//
// A layer is a repeated block, counted along the graph: an attention (or several, as in a decoder)
// with the feed-forward that follows; in a convolutional network a depthwise convolution with its
// pointwise ones or, where there are none, what lies beside a residual connection. The head counts
// as the layer after the last.
#pragma once

#include <span>
#include <vector>

#include "graph/graph.h"
#include "quantize/assign.h"

namespace subbyte {

// Sets `layer` and `component` of each use. `readers` has for each the node that reads it.
void find_structure(const Graph& graph, std::span<const NodeId> readers,
                    std::vector<WeightUse>& uses);

}  // namespace subbyte
