// Writes small ONNX messages for tests and for seeds of the fuzz target. A message is the
// concatenation of its fields, so builders return strings and fields may be appended to what they
// return.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <protozero/pbf_writer.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "graph/dtype.h"

namespace subbyte::onnx_builder {

using Names = std::vector<std::string>;
using Ints = std::vector<std::int64_t>;
using Dim = std::variant<std::int64_t, std::string>;  // "" is a dimension of which nothing is said

inline std::string bytes_field(std::uint32_t tag, std::string_view bytes) {
  std::string out;
  protozero::pbf_writer(out).add_bytes(tag, bytes.data(), bytes.size());
  return out;
}
inline std::string int_field(std::uint32_t tag, std::int64_t value) {
  std::string out;
  protozero::pbf_writer(out).add_int64(tag, value);
  return out;
}
inline std::string float_field(std::uint32_t tag, float value) {
  std::string out;
  protozero::pbf_writer(out).add_float(tag, value);
  return out;
}

template <typename T>
std::string raw(std::initializer_list<T> values) {
  std::string out(values.size() * sizeof(T), '\0');
  if (!out.empty()) std::memcpy(out.data(), values.begin(), out.size());
  return out;
}

// TensorProto without data: name, data_type, dims.
inline std::string tensor_head(std::string_view name, std::int64_t data_type, const Ints& dims) {
  std::string out;
  for (const std::int64_t dim : dims) out += int_field(1, dim);
  out += int_field(2, data_type);
  if (!name.empty()) out += bytes_field(8, name);
  return out;
}
inline std::string tensor(std::string_view name, DType dtype, const Ints& dims,
                          std::string_view raw_data) {
  return tensor_head(name, static_cast<std::int64_t>(dtype), dims) + bytes_field(9, raw_data);
}
inline std::string external_entry(std::string_view key, std::string_view value) {
  return bytes_field(13, bytes_field(1, key) + bytes_field(2, value));
}

inline std::string shape(const std::vector<Dim>& dims) {
  std::string out;
  for (const Dim& dim : dims) {
    std::string message;
    if (const auto* value = std::get_if<std::int64_t>(&dim)) message = int_field(1, *value);
    if (const auto* param = std::get_if<std::string>(&dim); param && !param->empty()) {
      message = bytes_field(2, *param);
    }
    out += bytes_field(1, message);
  }
  return out;
}
// ValueInfoProto of a tensor, with a shape and without one.
inline std::string value(std::string_view name, DType dtype, const std::vector<Dim>& dims) {
  const std::string tensor_type =
      int_field(1, static_cast<std::int64_t>(dtype)) + bytes_field(2, shape(dims));
  return bytes_field(1, name) + bytes_field(2, bytes_field(1, tensor_type));
}
inline std::string value(std::string_view name, DType dtype) {
  return bytes_field(1, name) +
         bytes_field(2, bytes_field(1, int_field(1, static_cast<std::int64_t>(dtype))));
}

// AttributeProto; `payload` is the field that holds the value, `type` its AttributeType.
inline std::string attribute(std::string_view name, std::int64_t type, std::string_view payload) {
  return bytes_field(1, name) + std::string(payload) + int_field(20, type);
}

inline std::string node(std::string_view op_type, const Names& inputs, const Names& outputs,
                        std::string_view name = "", const Names& attributes = {},
                        std::string_view domain = "") {
  std::string out;
  for (const std::string& input : inputs) out += bytes_field(1, input);
  for (const std::string& output : outputs) out += bytes_field(2, output);
  if (!name.empty()) out += bytes_field(3, name);
  out += bytes_field(4, op_type);
  for (const std::string& message : attributes) out += bytes_field(5, message);
  if (!domain.empty()) out += bytes_field(7, domain);
  return out;
}

struct GraphParts {
  Names nodes = {}, initializers = {}, inputs = {}, outputs = {};
  std::string name = "g";
};
inline std::string graph(const GraphParts& parts) {
  std::string out;
  for (const std::string& message : parts.nodes) out += bytes_field(1, message);
  out += bytes_field(2, parts.name);
  for (const std::string& message : parts.initializers) out += bytes_field(5, message);
  for (const std::string& message : parts.inputs) out += bytes_field(11, message);
  for (const std::string& message : parts.outputs) out += bytes_field(12, message);
  return out;
}

inline std::string opset(std::int64_t version, std::string_view domain = "") {
  return bytes_field(8, bytes_field(1, domain) + int_field(2, version));
}
inline std::string model(const GraphParts& parts, std::int64_t opset_version = 18) {
  return int_field(1, 8) + bytes_field(2, "maker") + bytes_field(7, graph(parts)) +
         opset(opset_version);
}

}  // namespace subbyte::onnx_builder
