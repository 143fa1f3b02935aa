#include "import/names.h"

#include <array>

#include "base/text.h"

namespace subbyte {

std::string plain(std::string_view text) {
  std::string in_quotes = quoted(text);
  const std::string_view inner = std::string_view(in_quotes).substr(1, in_quotes.size() - 2);
  return !text.empty() && inner == text ? std::string(text) : in_quotes;
}

std::string describe(const wire::NodeProto& node, std::size_t index) {
  if (node.name.empty()) return fmt::format("node {} ({})", index, plain(node.op_type));
  return fmt::format("node {} ({})", quoted(node.name), plain(node.op_type));
}

std::string onnx_dtype_name(std::int64_t data_type) {
  static constexpr std::array<std::string_view, 29> kNames = {
      "undefined",      "float32",    "uint8",          "int8",       "uint16",    "int16",
      "int32",          "int64",      "string",         "bool",       "float16",   "float64",
      "uint32",         "uint64",     "complex64",      "complex128", "bfloat16",  "float8e4m3fn",
      "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",      "float4e2m1",
      "float8e8m0",     "uint2",      "int2",           "float6e2m3", "float6e3m2"};
  if (data_type < 0 || data_type >= static_cast<std::int64_t>(kNames.size())) {
    return fmt::format("data type {}", data_type);
  }
  return std::string(kNames[static_cast<std::size_t>(data_type)]);
}

}  // namespace subbyte
