// A model whose weights stay quantized in ONNX: nodes that give the values that a module computes
// with, from the codes that it stores.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/error.h"
#include "graph/graph.h"
#include "quantize/stored_weight.h"

namespace subbyte {

struct QuantizedModel {
  Model model;
  // Weights at 8 bits or fewer that no node holds exactly, which stay float, and their parameters.
  std::size_t kept_float = 0;
  std::int64_t kept_float_parameters = 0;
  // How many weights of so many bits lie in integers of more, for which nodes have a form.
  struct Wider {
    int bits = 0, held_in = 0;
    auto operator<=>(const Wider&) const = default;
  };
  std::map<Wider, std::size_t> wider{};
};

// Of `model`, in operators of ONNX with every shape known, and its stored weights. `progress` hears
// of each weight that is packed and may end the work with its error. What becomes of a weight:
// - of a float32 MatMul alone, its right side: MatMulNBits of com.microsoft, 8 bits as 8 and fewer
//   as 4, which all versions of ONNX Runtime that have the operator read. Zero points are whole
//   where they all are, else floats, which it takes at 4 bits.
// - elsewhere, affine: DequantizeLinear of 8-bit integers by groups, of which each is a row (opset
//   13), then what brings the matrix into the tensor's shape and order. Zero points in parts of 1
//   become whole by multiplying the codes and dividing the scale.
// - half precision: a Cast.
// - others are constants of floats, and so is what these would not give to the bit.
// The model then holds all codes in memory.
Expected<QuantizedModel> with_quantized_nodes(
    const Model& model, const std::map<ValueId, StoredWeight>& stored,
    const std::function<Expected<void>(const StoredWeight&)>& progress);

}  // namespace subbyte
