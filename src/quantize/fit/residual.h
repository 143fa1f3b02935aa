// What is added to the results of a product.
#pragma once

#include <optional>
#include <span>

#include "quantize/fit/product_inputs.h"

namespace subbyte::fit {

// The value that an Add adds to the results of a MatMul, behind its bias if it has one, where
// nothing else reads them: the stream that a block of a transformer adds to. None of other nodes.
std::optional<ValueId> residual_of(const Graph& graph, const Uses& uses, NodeId product);

// Whether the product is of one group, and this was computed and has, on each sample, as many
// numbers for each place of the activations as the weight has rows: number i of place p is then
// element p * rows + i.
bool is_beside(std::span<const Tensor> residual, const WeightUse& use, const ProductInputs& inputs,
               std::span<const Tensor> activations);

}  // namespace subbyte::fit
