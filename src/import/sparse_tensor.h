// SparseTensorProto to Tensor.
#pragma once

#include <string_view>

#include "import/tensor_proto.h"

namespace subbyte {

// The tensor with all its elements, those that the file leaves out 0. What a file makes so of few
// bytes is bounded over all its sparse tensors (source.sparse). Errors name the tensor (`what`
// where it has no name), what was found and what is expected.
// onnx.proto, SparseTensorProto: values [NNZ], and indices [NNZ] of the flattened tensor or
// [NNZ, rank], ascending, each place once.
Expected<Tensor> to_dense(const wire::SparseTensorProto& proto, std::string_view what,
                          TensorSource& source);

}  // namespace subbyte
