// The one representation of a model from import to the end of the passes: plain structs in
// contiguous storage, joined by indices. A value is a tensor that flows; a node computes values
// from values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/file.h"
#include "graph/dtype.h"
#include "graph/expr.h"
#include "graph/op_info.h"

namespace subbyte {

using ValueId = std::uint32_t;
using NodeId = std::uint32_t;
using GraphId = std::uint32_t;
inline constexpr std::uint32_t kNone = UINT32_MAX;  // an absent optional input, no producer

struct CodeGrid;

// Constant data: a view into the mapped model file (or into memory of its own, which `owner` keeps
// alive). Little-endian, row-major, packed as ONNX's raw_data.
struct Tensor {
  DType dtype = DType::undefined;
  std::vector<std::int64_t> dims{};
  Bytes data{};
  std::shared_ptr<const void> owner{};
  // Of floats that arrived quantized, where they lie as they arrived (graph/grid.h).
  std::shared_ptr<const CodeGrid> grid{};

  std::int64_t elements() const;  // product of dims; dims were checked not to overflow
};

// A tensor that owns `bytes`.
Tensor make_tensor(DType dtype, std::vector<std::int64_t> dims, std::vector<std::byte> bytes);
Tensor make_int64_tensor(std::vector<std::int64_t> dims, std::span<const std::int64_t> values);
// Integer or bool elements as int64 (uint64 above the range saturates); float elements are an error
// of the caller: nullopt.
std::optional<std::vector<std::int64_t>> integer_values(const Tensor& tensor);
// Elements [first, first + count) of a float tensor (float16, bfloat16, float32, float64) as float.
void read_floats(const Tensor& tensor, std::int64_t first, std::int64_t count, float* out);

struct GraphRef {
  GraphId graph = 0;
};
using AttributeValue = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>,
                                    std::vector<float>, std::vector<std::string>, Tensor, GraphRef>;
struct Attribute {
  std::string name;
  AttributeValue value;
};

// The tensor of the source that a constant's elements are, all of them: its name, its dims, and for
// each axis of the constant which of the source's axes it is, outermost first (several where they
// were laid flat, none where it has one element).
struct SourceForm {
  std::string name;
  std::vector<std::int64_t> dims;
  std::vector<std::vector<int>> axes;
};

struct Value {
  std::string name{};  // as in the source; unique within a graph
  DType dtype = DType::undefined;
  // Dimensions; nullopt while the rank is not known.
  std::optional<std::vector<Expr>> shape{};
  // Set for initializers, Constant nodes and what was folded.
  std::optional<Tensor> constant{};
  // The elements, row-major, of a small integer or bool tensor that is known as expressions at
  // compile time (shape arithmetic). Such a value never needs the GPU.
  std::optional<std::vector<Expr>> content{};
  NodeId producer = kNone;
  // Of a constant: the names in the source of others that it stands for, for their elements are the
  // same, whatever their shape, order or type of floats.
  std::vector<std::string> aliases{};
  // Of a constant that was folded, where it is a tensor of the source in another order or shape.
  std::optional<SourceForm> source{};
  // Of a constant: an operator's definition gives its elements (waves, windows, bands), so that it
  // is no trained weight and is stored as it is.
  bool is_defined = false;
};

struct Node {
  Op op{};                        // Op::Unknown
  std::string op_type{};          // as in the source, also for operators that subbyte does not know
  std::string domain{};           // "" is ai.onnx
  std::string name{};             // as in the source; may be empty and need not be unique
  std::vector<ValueId> inputs{};  // kNone where an optional input is absent
  std::vector<ValueId> outputs{};  // kNone where an optional output is not wanted
  std::vector<Attribute> attributes{};

  const Attribute* find(std::string_view attribute) const;
  std::int64_t int_or(std::string_view attribute, std::int64_t otherwise) const;
  float float_or(std::string_view attribute, float otherwise) const;
  std::string_view string_or(std::string_view attribute, std::string_view otherwise) const;
  std::optional<std::span<const std::int64_t>> ints(std::string_view attribute) const;
  const Tensor* tensor(std::string_view attribute) const;
  bool has_input(std::size_t i) const { return i < inputs.size() && inputs[i] != kNone; }
};

struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;  // in topological order, which the verifier checks
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;

  ValueId add_value(Value value);
  // Appends the node and sets the producer of its outputs.
  NodeId add_node(Node node);
  const Tensor* constant(ValueId value) const;  // nullptr for kNone and what is not constant
};

// The nodes that read each value (one entry a use), and how often it is a graph output.
struct Uses {
  std::vector<std::vector<NodeId>> readers;
  std::vector<std::uint32_t> outputs;
  std::size_t count(ValueId v) const { return readers[v].size() + outputs[v]; }
};
Uses find_uses(const Graph& graph);

struct Model {
  std::string source_name;  // what messages call it: the path that the user gave
  // Paths of the other files that constants lie in.
  std::vector<std::string> data_files;
  std::string producer;
  std::int64_t ir_version = 0;
  std::int64_t opset = 0;                                          // of ai.onnx
  std::vector<std::pair<std::string, std::int64_t>> other_opsets;  // other domains
  // Whether activations that the file rounds (QuantizeLinear, DynamicQuantizeLinear) are rounded,
  // or computed as the floats that they stand for.
  bool rounds_activations = true;
  ExprPool exprs;
  std::vector<Graph>
      graphs;  // graphs[0] is the main graph; the others are bodies of If, Loop, Scan
  // Relations between dimensions that must hold when the module runs, found by shape inference.
  struct Constraint {
    Expr condition;       // must not be 0
    std::string message;  // a sentence for the user of the module
  };
  std::vector<Constraint> constraints;
  // Keeps mapped files alive.
  std::vector<std::shared_ptr<const void>> owners;

  Graph& main() { return graphs.front(); }
  const Graph& main() const { return graphs.front(); }
};

// "node 'encoder/Add_3' (Add)" or, for a nameless one, "node 17 (Add)".
std::string describe(const Graph& graph, NodeId node);

}  // namespace subbyte
