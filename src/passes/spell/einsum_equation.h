// The equation of an Einsum (ONNX; numpy.einsum): which axes of its operands are one.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace subbyte {

// What stands for an axis: a letter, or 0, 1, ... for the axes of an ellipsis, the last of which is
// the same in all operands.
using Label = int;
using Labels = std::vector<Label>;

struct EinsumEquation {
  std::vector<Labels> operands;  // by operand, one for each axis; one may stand there twice
  Labels result;                 // each once
};

// `ranks` are those of the operands. An equation that does not fit them is an error.
Expected<EinsumEquation> parse_einsum(std::string_view equation,
                                      std::span<const std::size_t> ranks);

}  // namespace subbyte
