#include "graph/graph.h"

#include <cstring>
#include <utility>

#include "base/text.h"
#include "graph/arithmetic.h"
#include "graph/half.h"
#include "graph/narrow_float.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T>
void append_as_int64(const Tensor& tensor, std::vector<std::int64_t>& out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const T value = load<T>(tensor.data.data() + i * sizeof(T));
    if constexpr (std::is_same_v<T, std::uint64_t>) {
      out[i] = value > std::uint64_t{INT64_MAX} ? INT64_MAX : static_cast<std::int64_t>(value);
    } else {
      out[i] = static_cast<std::int64_t>(value);
    }
  }
}

template <typename T>
const T* find_value(const Node& node, std::string_view name) {
  const Attribute* attribute = node.find(name);
  return attribute == nullptr ? nullptr : std::get_if<T>(&attribute->value);
}

}  // namespace

std::int64_t Tensor::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count = saturating_mul(count, dim);
  return count;
}

Tensor make_tensor(DType dtype, std::vector<std::int64_t> dims, std::vector<std::byte> bytes) {
  auto owned = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return {.dtype = dtype, .dims = std::move(dims), .data = Bytes(*owned), .owner = owned};
}

Tensor make_int64_tensor(std::vector<std::int64_t> dims, std::span<const std::int64_t> values) {
  std::vector<std::byte> bytes(values.size_bytes());
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return make_tensor(DType::int64, std::move(dims), std::move(bytes));
}

std::optional<std::vector<std::int64_t>> integer_values(const Tensor& tensor) {
  const std::size_t size = dtype_size(tensor.dtype);
  const std::int64_t count = tensor.elements();
  if (size == 0 || count < 0 || static_cast<std::uint64_t>(count) > tensor.data.size() / size) {
    return std::nullopt;
  }
  if (!is_integer(tensor.dtype) && tensor.dtype != DType::boolean) return std::nullopt;
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  switch (tensor.dtype) {
    case DType::uint2:
    case DType::uint4:
    case DType::uint8:
      append_as_int64<std::uint8_t>(tensor, values);
      break;
    case DType::int2:
    case DType::int4:
    case DType::int8:
      append_as_int64<std::int8_t>(tensor, values);
      break;
    case DType::uint16:
      append_as_int64<std::uint16_t>(tensor, values);
      break;
    case DType::int16:
      append_as_int64<std::int16_t>(tensor, values);
      break;
    case DType::int32:
      append_as_int64<std::int32_t>(tensor, values);
      break;
    case DType::int64:
      append_as_int64<std::int64_t>(tensor, values);
      break;
    case DType::uint32:
      append_as_int64<std::uint32_t>(tensor, values);
      break;
    case DType::uint64:
      append_as_int64<std::uint64_t>(tensor, values);
      break;
    default:
      append_as_int64<std::uint8_t>(tensor, values);
      for (std::int64_t& value : values) value = value != 0 ? 1 : 0;
      break;
  }
  return values;
}

void read_floats(const Tensor& tensor, std::int64_t first, std::int64_t count, float* out) {
  const std::byte* from =
      tensor.data.data() + static_cast<std::size_t>(first) * dtype_size(tensor.dtype);
  const auto n = static_cast<std::size_t>(count);
  switch (tensor.dtype) {
    case DType::float32:
      if (n != 0) std::memcpy(out, from, n * sizeof(float));
      return;
    case DType::float64:
      for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(load<double>(from + 8 * i));
      return;
    case DType::float16:
      for (std::size_t i = 0; i < n; ++i) out[i] = half_to_float(load<std::uint16_t>(from + 2 * i));
      return;
    case DType::bfloat16:
      for (std::size_t i = 0; i < n; ++i) {
        out[i] = bfloat16_to_float(load<std::uint16_t>(from + 2 * i));
      }
      return;
    default:
      if (!is_narrow_float(tensor.dtype)) return;
      for (std::size_t i = 0; i < n; ++i)
        out[i] = narrow_to_float(tensor.dtype, std::to_integer<std::uint8_t>(from[i]));
      return;
  }
}

const Attribute* Node::find(std::string_view attribute) const {
  for (const Attribute& candidate : attributes) {
    if (candidate.name == attribute) return &candidate;
  }
  return nullptr;
}

std::int64_t Node::int_or(std::string_view attribute, std::int64_t otherwise) const {
  const auto* value = find_value<std::int64_t>(*this, attribute);
  return value == nullptr ? otherwise : *value;
}

float Node::float_or(std::string_view attribute, float otherwise) const {
  const auto* value = find_value<float>(*this, attribute);
  return value == nullptr ? otherwise : *value;
}

std::string_view Node::string_or(std::string_view attribute, std::string_view otherwise) const {
  const auto* value = find_value<std::string>(*this, attribute);
  return value == nullptr ? otherwise : std::string_view(*value);
}

std::optional<std::span<const std::int64_t>> Node::ints(std::string_view attribute) const {
  const auto* value = find_value<std::vector<std::int64_t>>(*this, attribute);
  if (value == nullptr) return std::nullopt;
  return std::span<const std::int64_t>(*value);
}

const Tensor* Node::tensor(std::string_view attribute) const {
  return find_value<Tensor>(*this, attribute);
}

ValueId Graph::add_value(Value value) {
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size() - 1);
}

NodeId Graph::add_node(Node node) {
  const auto id = static_cast<NodeId>(nodes.size());
  for (const ValueId output : node.outputs) {
    if (output != kNone) values[output].producer = id;
  }
  nodes.push_back(std::move(node));
  return id;
}

const Tensor* Graph::constant(ValueId value) const {
  if (value == kNone || !values[value].constant) return nullptr;
  return &*values[value].constant;
}

Uses find_uses(const Graph& graph) {
  Uses uses;
  uses.readers.resize(graph.values.size());
  uses.outputs.resize(graph.values.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId input : graph.nodes[n].inputs) {
      if (input != kNone) uses.readers[input].push_back(static_cast<NodeId>(n));
    }
  }
  for (const ValueId output : graph.outputs) ++uses.outputs[output];
  return uses;
}

std::string describe(const Graph& graph, NodeId node) {
  const Node& n = graph.nodes[node];
  // The type is quoted only when it could be hostile: the known names are plain.
  const std::string type = n.op == Op::Unknown ? quoted(n.op_type) : n.op_type;
  if (n.name.empty()) return fmt::format("node {} ({})", node, type);
  return fmt::format("node {} ({})", quoted(n.name), type);
}

}  // namespace subbyte
