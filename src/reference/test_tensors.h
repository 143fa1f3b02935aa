// Short spellings of nodes and tensors for tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>

#include "reference/call.h"

namespace subbyte::reference {

template <typename T>
Tensor tensor(DType dtype, Dims dims, std::initializer_list<T> values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  if (values.size() != 0) std::memcpy(bytes.data(), std::data(values), bytes.size());
  return make_tensor(dtype, std::move(dims), std::move(bytes));
}

inline Tensor floats(Dims dims, std::initializer_list<float> values) {
  return tensor<float>(DType::float32, std::move(dims), values);
}
inline Tensor int64s(Dims dims, std::initializer_list<std::int64_t> values) {
  return tensor<std::int64_t>(DType::int64, std::move(dims), values);
}
inline Tensor int32s(Dims dims, std::initializer_list<std::int32_t> values) {
  return tensor<std::int32_t>(DType::int32, std::move(dims), values);
}
inline Tensor bools(Dims dims, std::initializer_list<std::uint8_t> values) {
  return tensor<std::uint8_t>(DType::boolean, std::move(dims), values);
}

inline Node make_node(Op op, std::vector<Attribute> attributes = {}, std::size_t outputs = 1) {
  Node node;
  node.op = op;
  node.op_type = op_info(op).name;
  node.attributes = std::move(attributes);
  for (std::size_t i = 0; i < outputs; ++i) node.outputs.push_back(static_cast<ValueId>(i));
  return node;
}

// The inputs; an empty optional is an absent input.
inline Result evaluate_on(const Node& node, const std::vector<std::optional<Tensor>>& inputs,
                          std::int64_t max_bytes = kMaxTensorBytes) {
  std::vector<const Tensor*> pointers;
  pointers.reserve(inputs.size());
  for (const auto& input : inputs) pointers.push_back(input ? &*input : nullptr);
  return evaluate(node, pointers, max_bytes);
}

// "float32 [2] 1 2.5", or the message of the error.
inline std::string text(const Tensor& tensor) {
  std::string out = fmt::format("{} {}", dtype_name(tensor.dtype), dims_text(tensor.dims));
  if (is_integer(tensor.dtype) || tensor.dtype == DType::boolean) {
    const auto values = integer_values(tensor);
    for (const std::int64_t value : *values) out += fmt::format(" {}", value);
  } else {
    for (const double value : read_doubles(tensor)) out += fmt::format(" {:.6g}", value);
  }
  return out;
}

inline std::string text(const Result& result) {
  if (!result) return "error: " + result.error().message;
  std::string out;
  for (const Tensor& output : *result) out += (out.empty() ? "" : "; ") + text(output);
  return out;
}

}  // namespace subbyte::reference
