// TensorProto to Tensor.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "graph/graph.h"
#include "import/external_data.h"
#include "import/onnx_wire.h"

namespace subbyte {

// Bytes of the sparse tensors of a file: as they are stored, and with all their elements.
struct SparseBytes {
  std::int64_t stored = 0, dense = 0;
};

// Where the bytes of tensors come from.
struct TensorSource {
  std::shared_ptr<const void> owner;  // keeps the model's own bytes alive
  ExternalData external;
  SparseBytes sparse{};
};

// The tensor as a view where the file holds its elements as raw_data, as external data or as one
// packed run of fixed-size numbers; else (varints) as a copy. A tensor of strings keeps its dims
// and no data. Errors name the tensor (`what` where it has no name), what was found and what is
// expected.
Expected<Tensor> to_tensor(const wire::TensorProto& proto, std::string_view what,
                           TensorSource& source);

// The dtype of a TensorProto.DataType, or an error that names `what`.
Expected<DType> to_dtype(std::int64_t data_type, std::string_view what);

// Product of dims, or nullopt when it leaves 63 bits or a dim is negative. Exact also when a dim is
// 0.
std::optional<std::int64_t> checked_product(std::span<const std::int64_t> dims);

}  // namespace subbyte
