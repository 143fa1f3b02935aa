// The text form of a model, one line for each value without a producer and for each node:
//
//   model "minilm.onnx" producer "pytorch" ir_version 8 opset 18
//   opset "com.microsoft" 1
//   symbol batch input 0 axis 0
//   symbol `shape[0]` input 1 element 0 bounds -2147483648 2147483647
//   constraint (batch == rows) "message"
//   graph "main" {
//     input %x : float32 [batch, 384]
//     value %w : float32 [384, 2] = {1, 2, ...}
//     %s : int64 [2] <batch, 384> = Shape(%x) {start = 0} "the node's name"
//     %y : float32 [batch, 2], - = "com.example"::"TwoOutputs"(%x, -, %w)
//     output %y
//   }
//
// `-` is an absent input or output; <...> is content; the type after a name may be left out; #
// starts a comment. A dimension of an input that is a name not yet declared declares that symbol.
// Attributes are 1, 1.5f, "s", [1, 2], f[1.5], s["a"], tensor float32 [2] {1, 2} or graph 1. An
// operator behind ! is one that subbyte does not take for the one in its table.
#include "graph/text.h"

#include "base/sha256.h"
#include "graph/ops.h"
#include "graph/text_tokens.h"

namespace subbyte {
namespace {

constexpr std::int64_t kShownElements = 16;

class ModelWriter {
 public:
  ModelWriter(const Model& model, bool full) : model_(model), full_(full) {}

  std::string write() {
    out_ = fmt::format("model {} producer {} ir_version {} opset {}\n",
                       text_string(model_.source_name), text_string(model_.producer),
                       model_.ir_version, model_.opset);
    for (const auto& [domain, version] : model_.other_opsets) {
      out_ += fmt::format("opset {} {}\n", text_string(domain), version);
    }
    for (std::size_t i = 0; i < model_.exprs.symbols().size(); ++i)
      write_symbol(model_.exprs.symbols()[i]);
    for (const Model::Constraint& constraint : model_.constraints) {
      out_ += fmt::format("constraint {} {}\n", model_.exprs.text(constraint.condition),
                          text_string(constraint.message));
    }
    for (const Graph& graph : model_.graphs) write_graph(graph);
    return std::move(out_);
  }

 private:
  void write_symbol(const Symbol& symbol) {
    const auto handle = model_.exprs.find_symbol(symbol.name);
    out_ += fmt::format("symbol {} ", model_.exprs.text(*handle));
    if (symbol.source.kind == SymbolSource::Kind::result) {
      out_ += "result";
    } else {
      out_ +=
          fmt::format("input {} {} {}", symbol.source.input,
                      symbol.source.kind == SymbolSource::Kind::input_element ? "element" : "axis",
                      symbol.source.index);
    }
    if (symbol.lower != 0 || symbol.upper != INT64_MAX) {
      out_ += fmt::format(" bounds {} {}", symbol.lower, symbol.upper);
    }
    out_ += '\n';
  }

  void write_graph(const Graph& graph) {
    out_ += fmt::format("graph {} {{\n", text_string(graph.name));
    std::vector<char> is_input(graph.values.size(), 0);
    for (const ValueId input : graph.inputs) {
      is_input[input] = 1;
      write_line(fmt::format("input {}", value_text(graph.values[input])));
    }
    for (std::size_t i = 0; i < graph.values.size(); ++i) {
      if (is_input[i] == 0 && graph.values[i].producer == kNone) {
        write_line(fmt::format("value {}", value_text(graph.values[i])));
      }
    }
    for (const Node& node : graph.nodes) write_line(node_text(graph, node));
    for (const ValueId output : graph.outputs) {
      write_line(fmt::format("output {}", text_name(graph.values[output].name)));
    }
    out_ += "}\n";
  }

  void write_line(const std::string& line) { out_ += "  " + line + "\n"; }

  template <typename Items, typename Text>
  static std::string list(const Items& items, const Text& text) {
    std::string result;
    for (const auto& item : items) {
      if (!result.empty()) result += ", ";
      result += text(item);
    }
    return result;
  }

  std::string dims_text(const std::vector<Expr>& dims) const {
    return list(dims, [&](Expr e) { return model_.exprs.text(e); });
  }

  std::string tensor_text(const Tensor& tensor) const {
    if (full_ || tensor.elements() <= kShownElements) return text_elements(tensor);
    return "sha256:" + sha256(tensor.data).substr(0, 16);
  }

  std::string value_text(const Value& value) const {
    std::string result = text_name(value.name);
    if (value.dtype == DType::undefined && !value.shape && !value.constant) return result;
    result += fmt::format(" : {} ", dtype_name(value.dtype));
    result += value.shape ? "[" + dims_text(*value.shape) + "]" : "?";
    if (value.constant) {
      result += " = " + tensor_text(*value.constant);
    } else if (value.content) {
      result += " <" + dims_text(*value.content) + ">";
    }
    return result;
  }

  std::string node_text(const Graph& graph, const Node& node) const {
    std::string result = list(
        node.outputs, [&](ValueId v) { return v == kNone ? "-" : value_text(graph.values[v]); });
    result += result.empty() ? "= " : " = ";
    if (node.op == Op::Unknown && find_op(node.domain, node.op_type) != Op::Unknown) result += '!';
    const bool plain = node.domain.empty() && node.op != Op::Unknown;
    result += plain ? node.op_type
                    : fmt::format("{}::{}", text_string(node.domain), text_string(node.op_type));
    result += "(" +
              list(node.inputs,
                   [&](ValueId v) { return v == kNone ? "-" : text_name(graph.values[v].name); }) +
              ")";
    if (!node.attributes.empty()) {
      result +=
          " {" + list(node.attributes, [&](const Attribute& a) { return attribute_text(a); }) + "}";
    }
    if (!node.name.empty()) result += " " + text_string(node.name);
    return result;
  }

  std::string attribute_text(const Attribute& attribute) const {
    const bool plain = !attribute.name.empty() &&
                       text_name(attribute.name).find_first_of("\"./:-") == std::string::npos;
    return (plain ? attribute.name : text_string(attribute.name)) + " = " +
           std::visit([&](const auto& value) { return attribute_value(value); }, attribute.value);
  }

  std::string attribute_value(std::int64_t value) const { return std::to_string(value); }
  std::string attribute_value(float value) const { return text_float(value) + "f"; }
  std::string attribute_value(const std::string& value) const { return text_string(value); }
  std::string attribute_value(const std::vector<std::int64_t>& values) const {
    return "[" + list(values, [](std::int64_t v) { return std::to_string(v); }) + "]";
  }
  std::string attribute_value(const std::vector<float>& values) const {
    return "f[" + list(values, text_float) + "]";
  }
  std::string attribute_value(const std::vector<std::string>& values) const {
    return "s[" + list(values, text_string) + "]";
  }
  std::string attribute_value(const Tensor& tensor) const {
    return fmt::format("tensor {} [{}] {}", dtype_name(tensor.dtype),
                       list(tensor.dims, [](std::int64_t v) { return std::to_string(v); }),
                       tensor_text(tensor));
  }
  std::string attribute_value(const GraphRef& graph) const {
    return fmt::format("graph {}", graph.graph);
  }

  const Model& model_;
  bool full_;
  std::string out_;
};

}  // namespace

std::string to_text(const Model& model, bool full) { return ModelWriter(model, full).write(); }

}  // namespace subbyte
