// Which values of inputs are rows of a table that is looked up by them.
#pragma once

#include <vector>

#include "plan/integer_ranges.h"

namespace subbyte {

// Of each integer input that a Gather takes whole, under whatever shape, as indices of an axis of
// known size: the values that ONNX allows, from minus that size on. An element beyond them is an
// error of the model (ONNX, Gather); kernels read some row of the table instead. What only a branch
// or a loop reads is left out, since a run need not read it.
std::vector<InputRange> index_ranges(const Model& model);

// `checked` with those of `more` too, in the order of the inputs; of an input in both, what both
// allow.
std::vector<InputRange> both_ranges(std::vector<InputRange> checked,
                                    const std::vector<InputRange>& more);

}  // namespace subbyte
