// A stored weight to its bytes, and back to the source's tensor.
#pragma once

#include "base/error.h"
#include "graph/graph.h"
#include "quantize/codec.h"
#include "quantize/stored_weight.h"

namespace subbyte {

// The matrix of a constant of `model`, as `stored` says; what is joined is packed one by one. An
// integer that does not fit 32 bits is an error.
Expected<PackedMatrix> pack_weight(const Model& model, const StoredWeight& stored);

// The numbers of a packed matrix in the order of the source, `dims` as there, as float32.
Tensor unpacked_tensor(const PackedMatrix& matrix, const AxisOrder& order,
                       const std::vector<std::int64_t>& dims);

}  // namespace subbyte
