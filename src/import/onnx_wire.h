// The messages of onnx.proto as plain structs whose strings are views into the file. Only the
// fields that subbyte reads; nested graphs and tensors of attributes stay bytes until they are
// needed, so reading a message never recurses.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace subbyte::wire {

struct StringStringEntry {
  std::string_view key, value;
};

struct TensorProto {
  std::string_view name;
  std::vector<std::int64_t> dims;
  std::int64_t data_type = 0;
  std::optional<std::string_view> raw_data;
  std::vector<StringStringEntry> external_data;
  bool external = false;         // data_location is EXTERNAL
  bool segment = false;          // part of a tensor, which no known exporter writes
  std::uint32_t typed_data = 0;  // bit t: field number t (float_data, int32_data, ...) occurs
  std::int64_t strings = 0;      // entries of string_data
  std::string_view message;      // the whole message, for a second look at the typed data
};

struct SparseTensorProto {
  TensorProto values, indices;
  std::vector<std::int64_t> dims;
};

// Field numbers of TensorProto's typed data.
enum TypedData : std::uint32_t {
  kFloatData = 4,
  kInt32Data = 5,
  kStringData = 6,
  kInt64Data = 7,
  kDoubleData = 10,
  kUint64Data = 11,
};

enum class AttributeType : std::int64_t {
  undefined = 0,
  float_ = 1,
  int_ = 2,
  string = 3,
  tensor = 4,
  graph = 5,
  floats = 6,
  ints = 7,
  strings = 8,
  tensors = 9,
  graphs = 10,
  sparse_tensor = 11,
  sparse_tensors = 12,
  type_proto = 13,
  type_protos = 14,
};

struct CallFrame;  // import/inline_functions.h

struct AttributeProto {
  std::string_view name;
  std::string_view ref_attr_name;
  // As the file says, or, where it does not (IR version 1), the type of the field that is there.
  AttributeType type = AttributeType::undefined;
  float f = 0;
  std::int64_t i = 0;
  std::string_view s, t, g;  // t: a TensorProto or SparseTensorProto, g: a GraphProto
  std::vector<float> floats;
  std::vector<std::int64_t> ints;
  std::vector<std::string_view> strings;
  // Of a graph in the body of a function that was called: what its names are in the caller.
  std::shared_ptr<const CallFrame> frame;
};

struct NodeProto {
  std::string_view name, op_type, domain, overload;
  std::vector<std::string_view> inputs, outputs;
  std::vector<AttributeProto> attributes;
};

struct Dimension {
  std::optional<std::int64_t> value;
  std::string_view param;
};

struct TypeProto {
  enum class Kind { none, tensor, sequence, map, opaque, sparse_tensor, optional };
  Kind kind = Kind::none;
  std::int64_t elem_type = 0;                   // of a tensor
  std::optional<std::vector<Dimension>> shape;  // of a tensor
};

struct ValueInfoProto {
  std::string_view name;
  TypeProto type;
};

struct GraphProto {
  std::string_view name;
  std::vector<NodeProto> nodes;
  std::vector<TensorProto> initializers;
  std::vector<SparseTensorProto> sparse_initializers;
  std::vector<ValueInfoProto> inputs, outputs;
};

struct OperatorSetId {
  std::string_view domain;
  std::int64_t version = 0;
};

struct FunctionProto {
  std::string_view domain, name, overload;
  std::vector<std::string_view> inputs, outputs;
  std::vector<AttributeProto> defaults;  // attributes that a call may leave out
  std::vector<NodeProto> nodes;
  std::vector<OperatorSetId> opset_imports;
};

struct ModelProto {
  std::int64_t ir_version = 0;
  std::string_view producer_name, producer_version;
  std::vector<OperatorSetId> opset_imports;
  std::vector<FunctionProto> functions;
  std::vector<std::string_view> graphs;  // bytes of GraphProto; a valid model has exactly one
};

Expected<ModelProto> read_model(std::string_view bytes);
Expected<GraphProto> read_graph(std::string_view bytes);
Expected<TensorProto> read_tensor(std::string_view bytes);
Expected<SparseTensorProto> read_sparse_tensor(std::string_view bytes);

}  // namespace subbyte::wire
