// The same elements in the same order: Identity, Dropout, Reshape, Flatten, Squeeze, Unsqueeze.
// Outputs share the data of the input.
#include <algorithm>

#include "graph/ops.h"
#include "reference/call.h"

namespace subbyte::reference {
namespace {

// ONNX Reshape: 0 copies the input's dimension unless allowzero, one -1 takes what is left.
Expected<Dims> reshaped(const Call& call) {
  const Dims& from = call.input(0).dims;
  SUBBYTE_TRY(Dims dims, integer_list(call, 1));
  const Dims asked = dims;
  const bool allow_zero = call.node.int_or("allowzero", 0) != 0;
  std::size_t unknown = dims.size();
  std::int64_t known = 1;
  bool overflow = false;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == -1 && unknown == dims.size()) {
      unknown = i;
      continue;
    }
    if (dims[i] == 0 && !allow_zero) {
      if (i >= from.size())
        return fail("{}: the shape {} copies axis {} of an input of shape {}, which has none",
                    call.node.op_type, dims_text(asked), i, dims_text(from));
      dims[i] = from[i];
    }
    if (dims[i] < 0)
      return fail(
          "{}: the shape {} is not valid; one dimension may be -1, the others are at least 0",
          call.node.op_type, dims_text(asked));
    overflow = overflow || __builtin_mul_overflow(known, dims[i], &known);
  }
  if (std::ranges::find(dims, 0) != dims.end()) {
    known = 0;
    overflow = false;
  }
  const std::int64_t count = call.input(0).elements();
  if (unknown != dims.size() && !overflow) {
    if (known != 0 && count % known == 0) dims[unknown] = count / known;
    if (dims[unknown] >= 0) known *= dims[unknown];
  }
  if (overflow || known != count || std::ranges::find(dims, -1) != dims.end())
    return fail("{}: an input of shape {} cannot take the shape {}; it has {} elements",
                call.node.op_type, dims_text(from), dims_text(asked), count);
  return dims;
}

Expected<Dims> flattened(const Call& call) {
  const Dims& from = call.input(0).dims;
  // Unlike elsewhere, the rank itself is a valid axis.
  SUBBYTE_TRY(const std::size_t split, axis_of(call, from.size() + 1));
  return Dims{product(from, 0, split), product(from, split, from.size())};
}

Expected<Dims> squeezed(const Call& call) {
  const Dims& from = call.input(0).dims;
  std::vector<bool> drop(from.size());
  if (call.has(1)) {
    SUBBYTE_TRY(const Dims axis_list, integer_list(call, 1));
    SUBBYTE_TRY(const auto axes, checked_axes(call, axis_list, from.size()));
    for (const std::size_t axis : axes) {
      if (from[axis] != 1)
        return fail("{}: axis {} of shape {} cannot be removed; its length must be 1",
                    call.node.op_type, axis, dims_text(from));
      drop[axis] = true;
    }
  } else {
    for (std::size_t i = 0; i < from.size(); ++i) drop[i] = from[i] == 1;
  }
  Dims dims;
  for (std::size_t i = 0; i < from.size(); ++i)
    if (!drop[i]) dims.push_back(from[i]);
  return dims;
}

Expected<Dims> unsqueezed(const Call& call) {
  const Dims& from = call.input(0).dims;
  SUBBYTE_TRY(const Dims axis_list, integer_list(call, 1));
  const std::size_t rank = from.size() + axis_list.size();
  SUBBYTE_TRY(const auto axes, checked_axes(call, axis_list, rank));
  Dims dims(rank, 0);
  for (const std::size_t axis : axes) dims[axis] = 1;
  // What is not a new axis is the next old one; old axes of length 0 are told apart by position.
  std::vector<bool> added(rank);
  for (const std::size_t axis : axes) added[axis] = true;
  for (std::size_t i = 0, next = 0; i < rank; ++i)
    if (!added[i]) dims[i] = from[next++];
  return dims;
}

}  // namespace

Result reference_identity(const Call& call) { return one(call.input(0)); }

Result reference_reshape(const Call& call) {
  Tensor output = call.input(0);
  Expected<Dims> dims = call.node.op == Op::Reshape   ? reshaped(call)
                        : call.node.op == Op::Flatten ? flattened(call)
                        : call.node.op == Op::Squeeze ? squeezed(call)
                                                      : unsqueezed(call);
  if (!dims) return tl::unexpected(std::move(dims.error()));
  output.dims = std::move(*dims);
  return one(std::move(output));
}

// Inference: the input, and a mask that keeps every element. Training drops at random, which no
// reference can answer.
Result reference_dropout(const Call& call) {
  const Tensor& input = call.input(0);
  bool training = false;
  if (call.has(2)) {
    const auto mode = integer_values(call.input(2));
    training = mode && mode->size() == 1 && mode->front() != 0;
  }
  // The ratio is 0.5 where it is absent.
  bool drops = true;
  if (call.has(1)) {
    const std::vector<double> ratio = read_doubles(call.input(1));
    drops = ratio.size() != 1 || ratio[0] != 0;
  }
  if (training && drops)
    return fail(
        "{}: training_mode is true, and then elements are dropped at random; export the model for "
        "inference",
        call.node.op_type);
  std::vector<Tensor> outputs{input};
  if (call.node.outputs.size() > 1) {
    SUBBYTE_TRY(auto mask, allocate(call, DType::boolean, input.dims));
    std::ranges::fill(mask, std::byte{1});
    outputs.push_back(make_tensor(DType::boolean, input.dims, std::move(mask)));
  }
  return outputs;
}

}  // namespace subbyte::reference
