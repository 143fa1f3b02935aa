#include "import/build_node.h"

#include <cstring>
#include <unordered_set>

#include "base/text.h"
#include "import/names.h"
#include "import/sparse_tensor.h"

namespace subbyte {

namespace {

using wire::AttributeProto;
using wire::AttributeType;

std::string type_name(AttributeType type) {
  switch (type) {
    case AttributeType::float_:
      return "FLOAT";
    case AttributeType::int_:
      return "INT";
    case AttributeType::string:
      return "STRING";
    case AttributeType::tensor:
      return "TENSOR";
    case AttributeType::graph:
      return "GRAPH";
    case AttributeType::floats:
      return "FLOATS";
    case AttributeType::ints:
      return "INTS";
    case AttributeType::strings:
      return "STRINGS";
    case AttributeType::tensors:
      return "TENSORS";
    case AttributeType::graphs:
      return "GRAPHS";
    case AttributeType::sparse_tensor:
      return "SPARSE_TENSOR";
    case AttributeType::sparse_tensors:
      return "SPARSE_TENSORS";
    case AttributeType::type_proto:
      return "TYPE_PROTO";
    case AttributeType::type_protos:
      return "TYPE_PROTOS";
    case AttributeType::undefined:
      break;
  }
  return fmt::format("type {}", static_cast<std::int64_t>(type));
}

Expected<AttributeValue> to_value(const AttributeProto& proto, TensorSource& source,
                                  const BuildSubgraph& build_subgraph) {
  switch (proto.type) {
    case AttributeType::float_:
      return proto.f;
    case AttributeType::int_:
      return proto.i;
    case AttributeType::string:
      return std::string(proto.s);
    case AttributeType::floats:
      return proto.floats;
    case AttributeType::ints:
      return proto.ints;
    case AttributeType::strings:
      return std::vector<std::string>(proto.strings.begin(), proto.strings.end());
    case AttributeType::tensor: {
      SUBBYTE_TRY(const wire::TensorProto tensor, wire::read_tensor(proto.t));
      SUBBYTE_TRY(Tensor value, to_tensor(tensor, "the tensor", source));
      return value;
    }
    case AttributeType::graph: {
      SUBBYTE_TRY(const GraphId graph, build_subgraph(proto));
      return GraphRef{graph};
    }
    default:
      return fail(
          "it is of {}, which subbyte does not read; it reads FLOAT, INT, STRING, TENSOR, GRAPH, "
          "FLOATS, "
          "INTS and STRINGS",
          type_name(proto.type));
  }
}

template <typename T>
Tensor tensor_of(DType dtype, std::vector<std::int64_t> dims, const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return make_tensor(dtype, std::move(dims), std::move(bytes));
}

}  // namespace

std::string_view normal_domain(std::string_view domain) {
  return domain == "ai.onnx" ? std::string_view() : domain;
}

Expected<std::vector<Attribute>> to_attributes(const wire::NodeProto& proto, TensorSource& source,
                                               const BuildSubgraph& build_subgraph) {
  std::vector<Attribute> attributes;
  attributes.reserve(proto.attributes.size());
  std::unordered_set<std::string_view> names;
  for (const AttributeProto& attribute : proto.attributes) {
    const std::string what = fmt::format("attribute {}", quoted(attribute.name));
    if (!names.insert(attribute.name).second) {
      return fail("{} is there twice; ONNX allows each name once", what);
    }
    if (!attribute.ref_attr_name.empty()) {
      return fail("{} refers to attribute {} of a function, but the node is not in one", what,
                  quoted(attribute.ref_attr_name));
    }
    auto value = to_value(attribute, source, build_subgraph);
    if (!value) return within(what, std::move(value.error()));
    attributes.push_back({std::string(attribute.name), std::move(*value)});
  }
  return attributes;
}

bool is_constant_node(const wire::NodeProto& proto) {
  return proto.op_type == "Constant" && normal_domain(proto.domain).empty();
}

Expected<Tensor> constant_of(const wire::NodeProto& proto, TensorSource& source) {
  if (proto.attributes.size() != 1 || !proto.inputs.empty()) {
    return fail("it has {} attributes and {} inputs; a Constant has one attribute and no input",
                proto.attributes.size(), proto.inputs.size());
  }
  const AttributeProto& attribute = proto.attributes.front();
  const std::string_view name = attribute.name;
  if (name == "value" && attribute.type == AttributeType::tensor) {
    SUBBYTE_TRY(const wire::TensorProto tensor, wire::read_tensor(attribute.t));
    return to_tensor(tensor, "attribute 'value'", source);
  }
  if (name == "sparse_value" && attribute.type == AttributeType::sparse_tensor) {
    SUBBYTE_TRY(const wire::SparseTensorProto tensor, wire::read_sparse_tensor(attribute.t));
    return to_dense(tensor, "attribute 'sparse_value'", source);
  }
  if (name == "value_float" && attribute.type == AttributeType::float_) {
    return tensor_of<float>(DType::float32, {}, {attribute.f});
  }
  if (name == "value_floats" && attribute.type == AttributeType::floats) {
    const auto count = static_cast<std::int64_t>(attribute.floats.size());
    return tensor_of(DType::float32, {count}, attribute.floats);
  }
  if (name == "value_int" && attribute.type == AttributeType::int_) {
    return tensor_of<std::int64_t>(DType::int64, {}, {attribute.i});
  }
  if (name == "value_ints" && attribute.type == AttributeType::ints) {
    const auto count = static_cast<std::int64_t>(attribute.ints.size());
    return tensor_of(DType::int64, {count}, attribute.ints);
  }
  return fail(
      "its attribute is {} of {}; subbyte reads value (TENSOR), sparse_value "
      "(SPARSE_TENSOR), value_float, value_floats, value_int and value_ints",
      quoted(name), type_name(attribute.type));
}

}  // namespace subbyte
