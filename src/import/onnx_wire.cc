// Field numbers are those of onnx.proto; a field that is not named here is skipped.
#include "import/onnx_wire.h"

#include "import/wire_reader.h"

namespace subbyte::wire {

namespace {

Expected<StringStringEntry> read_entry(std::string_view bytes) {
  StringStringEntry entry;
  SUBBYTE_CHECK_OK(read_fields(bytes, "StringStringEntryProto", [&](Field& field) {
    switch (field.tag()) {
      case 1:
        return field.get("key", entry.key);
      case 2:
        return field.get("value", entry.value);
      default:
        return;
    }
  }));
  return entry;
}

// The type of an attribute that does not say it, by the number of a field that is there.
AttributeType type_of_field(std::uint32_t tag) {
  switch (tag) {
    case 2:
      return AttributeType::float_;
    case 3:
      return AttributeType::int_;
    case 4:
      return AttributeType::string;
    case 5:
      return AttributeType::tensor;
    case 6:
      return AttributeType::graph;
    case 7:
      return AttributeType::floats;
    case 8:
      return AttributeType::ints;
    case 9:
      return AttributeType::strings;
    case 22:
      return AttributeType::sparse_tensor;
    default:
      return AttributeType::undefined;
  }
}

Expected<AttributeProto> read_attribute(std::string_view bytes) {
  AttributeProto attribute;
  std::int64_t declared_type = 0;
  SUBBYTE_CHECK_OK(read_fields(bytes, "AttributeProto", [&](Field& field) {
    if (const AttributeType type = type_of_field(field.tag()); type != AttributeType::undefined) {
      attribute.type = type;
    }
    switch (field.tag()) {
      case 1:
        return field.get("name", attribute.name);
      case 2:
        return field.get("f", attribute.f);
      case 3:
        return field.get("i", attribute.i);
      case 4:
        return field.get("s", attribute.s);
      case 5:
        return field.get("t", attribute.t);
      case 6:
        return field.get("g", attribute.g);
      case 7:
        return field.append("floats", attribute.floats);
      case 8:
        return field.append("ints", attribute.ints);
      case 9:
        return field.append("strings", attribute.strings);
      case 20:
        return field.get("type", declared_type);
      case 22:
        return field.get("sparse_tensor", attribute.t);
      case 21:
        return field.get("ref_attr_name", attribute.ref_attr_name);
      default:
        return;
    }
  }));
  if (declared_type != 0) attribute.type = static_cast<AttributeType>(declared_type);
  return attribute;
}

Expected<NodeProto> read_node(std::string_view bytes) {
  NodeProto node;
  SUBBYTE_CHECK_OK(read_fields(bytes, "NodeProto", [&](Field& field) {
    switch (field.tag()) {
      case 1:
        return field.append("input", node.inputs);
      case 2:
        return field.append("output", node.outputs);
      case 3:
        return field.get("name", node.name);
      case 4:
        return field.get("op_type", node.op_type);
      case 5:
        return field.append_message("attribute", node.attributes, read_attribute);
      case 7:
        return field.get("domain", node.domain);
      case 8:
        return field.get("overload", node.overload);
      default:
        return;
    }
  }));
  return node;
}

Expected<Dimension> read_dimension(std::string_view bytes) {
  Dimension dimension;
  SUBBYTE_CHECK_OK(read_fields(bytes, "TensorShapeProto.Dimension", [&](Field& field) {
    switch (field.tag()) {
      case 1:
        return field.get("dim_value", dimension.value.emplace());
      case 2:
        return field.get("dim_param", dimension.param);
      default:
        return;
    }
  }));
  return dimension;
}

Expected<std::vector<Dimension>> read_shape(std::string_view bytes) {
  std::vector<Dimension> dims;
  SUBBYTE_CHECK_OK(read_fields(bytes, "TensorShapeProto", [&](Field& field) {
    if (field.tag() == 1) field.append_message("dim", dims, read_dimension);
  }));
  return dims;
}

Expected<TypeProto> read_tensor_type(std::string_view bytes) {
  TypeProto type;
  type.kind = TypeProto::Kind::tensor;
  SUBBYTE_CHECK_OK(read_fields(bytes, "TypeProto.Tensor", [&](Field& field) {
    switch (field.tag()) {
      case 1:
        return field.get("elem_type", type.elem_type);
      case 2:
        return field.message("shape", type.shape, read_shape);
      default:
        return;
    }
  }));
  return type;
}

Expected<TypeProto> read_type(std::string_view bytes) {
  TypeProto type;
  SUBBYTE_CHECK_OK(read_fields(bytes, "TypeProto", [&](Field& field) {
    switch (field.tag()) {
      case 1:
        return field.message("tensor_type", type, read_tensor_type);
      case 4:
        type.kind = TypeProto::Kind::sequence;
        return;
      case 5:
        type.kind = TypeProto::Kind::map;
        return;
      case 7:
        type.kind = TypeProto::Kind::opaque;
        return;
      case 8:
        type.kind = TypeProto::Kind::sparse_tensor;
        return;
      case 9:
        type.kind = TypeProto::Kind::optional;
        return;
      default:
        return;
    }
  }));
  return type;
}

Expected<ValueInfoProto> read_value_info(std::string_view bytes) {
  ValueInfoProto info;
  SUBBYTE_CHECK_OK(read_fields(bytes, "ValueInfoProto", [&](Field& field) {
    switch (field.tag()) {
      case 1:
        return field.get("name", info.name);
      case 2:
        return field.message("type", info.type, read_type);
      default:
        return;
    }
  }));
  return info;
}

Expected<OperatorSetId> read_opset(std::string_view bytes) {
  OperatorSetId opset;
  SUBBYTE_CHECK_OK(read_fields(bytes, "OperatorSetIdProto", [&](Field& field) {
    switch (field.tag()) {
      case 1:
        return field.get("domain", opset.domain);
      case 2:
        return field.get("version", opset.version);
      default:
        return;
    }
  }));
  return opset;
}

Expected<FunctionProto> read_function(std::string_view bytes) {
  FunctionProto function;
  SUBBYTE_CHECK_OK(read_fields(bytes, "FunctionProto", [&](Field& field) {
    switch (field.tag()) {
      case 1:
        return field.get("name", function.name);
      case 4:
        return field.append("input", function.inputs);
      case 5:
        return field.append("output", function.outputs);
      case 7:
        return field.append_message("node", function.nodes, read_node);
      case 9:
        return field.append_message("opset_import", function.opset_imports, read_opset);
      case 10:
        return field.get("domain", function.domain);
      case 11:
        return field.append_message("attribute_proto", function.defaults, read_attribute);
      case 13:
        return field.get("overload", function.overload);
      default:
        return;
    }
  }));
  return function;
}

}  // namespace

Expected<TensorProto> read_tensor(std::string_view bytes) {
  TensorProto tensor;
  tensor.message = bytes;
  std::int64_t data_location = 0;
  SUBBYTE_CHECK_OK(read_fields(bytes, "TensorProto", [&](Field& field) {
    switch (field.tag()) {
      case 1:
        return field.append("dims", tensor.dims);
      case 2:
        return field.get("data_type", tensor.data_type);
      case 3:
        tensor.segment = true;
        return;
      case kFloatData:
      case kInt32Data:
      case kInt64Data:
      case kDoubleData:
      case kUint64Data:
        tensor.typed_data |= 1U << field.tag();
        return;
      case kStringData:
        tensor.typed_data |= 1U << field.tag();
        ++tensor.strings;
        return;
      case 8:
        return field.get("name", tensor.name);
      case 9:
        return field.get("raw_data", tensor.raw_data.emplace());
      case 13:
        return field.append_message("external_data", tensor.external_data, read_entry);
      case 14:
        return field.get("data_location", data_location);
      default:
        return;
    }
  }));
  tensor.external = data_location == 1;
  return tensor;
}

Expected<SparseTensorProto> read_sparse_tensor(std::string_view bytes) {
  SparseTensorProto tensor;
  SUBBYTE_CHECK_OK(read_fields(bytes, "SparseTensorProto", [&](Field& field) {
    switch (field.tag()) {
      case 1:
        return field.message("values", tensor.values, read_tensor);
      case 2:
        return field.message("indices", tensor.indices, read_tensor);
      case 3:
        return field.append("dims", tensor.dims);
      default:
        return;
    }
  }));
  return tensor;
}

Expected<GraphProto> read_graph(std::string_view bytes) {
  GraphProto graph;
  SUBBYTE_CHECK_OK(read_fields(bytes, "GraphProto", [&](Field& field) {
    switch (field.tag()) {
      case 1:
        return field.append_message("node", graph.nodes, read_node);
      case 2:
        return field.get("name", graph.name);
      case 5:
        return field.append_message("initializer", graph.initializers, read_tensor);
      case 11:
        return field.append_message("input", graph.inputs, read_value_info);
      case 12:
        return field.append_message("output", graph.outputs, read_value_info);
      case 15:
        return field.append_message("sparse_initializer", graph.sparse_initializers,
                                    read_sparse_tensor);
      default:
        return;
    }
  }));
  return graph;
}

Expected<ModelProto> read_model(std::string_view bytes) {
  ModelProto model;
  SUBBYTE_CHECK_OK(read_fields(bytes, "ModelProto", [&](Field& field) {
    switch (field.tag()) {
      case 1:
        return field.get("ir_version", model.ir_version);
      case 2:
        return field.get("producer_name", model.producer_name);
      case 3:
        return field.get("producer_version", model.producer_version);
      case 7:
        return field.append("graph", model.graphs);
      case 8:
        return field.append_message("opset_import", model.opset_imports, read_opset);
      case 25:
        return field.append_message("functions", model.functions, read_function);
      default:
        return;
    }
  }));
  return model;
}

}  // namespace subbyte::wire
