// Elements of fewer than 8 bits, and floats of 8 bits and fewer, which ONNX packs into bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

struct NarrowType {
  DType dtype = DType::int4;
  int bits = 4;  // of an element
};

// nullopt for the types whose elements are whole bytes and that a Tensor holds as they are.
std::optional<NarrowType> narrow_type(std::int64_t data_type);

// Each element gets a byte: an integer, or the code of a float (graph/narrow_float.h). `packed` are
// bytes, the first element in the lowest bits (onnx.proto, TensorProto.raw_data and int32_data).
Tensor unpack_narrow(const Tensor& packed, const NarrowType& type, std::vector<std::int64_t> dims,
                     std::int64_t elements);

}  // namespace subbyte
