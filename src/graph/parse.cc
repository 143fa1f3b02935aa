// Reads the text form of a model; text.cc describes it.
#include <cctype>
#include <unordered_map>

#include "base/text.h"
#include "graph/arithmetic.h"
#include "graph/ops.h"
#include "graph/text.h"
#include "graph/text_tokens.h"

namespace subbyte {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 32;

class ModelParser {
 public:
  explicit ModelParser(std::string_view text) : at_(text) {}

  Expected<Model> parse() {
    SUBBYTE_CHECK_OK(header());
    while (!at_.at_end()) {
      if (at_.take_word("opset")) {
        SUBBYTE_TRY(std::string domain, at_.string());
        SUBBYTE_TRY(const std::int64_t version, at_.integer());
        model_.other_opsets.emplace_back(std::move(domain), version);
      } else if (at_.take_word("symbol")) {
        SUBBYTE_CHECK_OK(symbol());
      } else if (at_.take_word("constraint")) {
        SUBBYTE_TRY(const Expr condition, at_.expression(model_.exprs));
        SUBBYTE_TRY(std::string message, at_.string());
        model_.constraints.push_back({condition, std::move(message)});
      } else if (at_.take_word("graph")) {
        SUBBYTE_CHECK_OK(graph());
      } else {
        return at_.error("expected opset, symbol, constraint or graph");
      }
    }
    if (model_.graphs.empty()) return at_.error("expected a graph");
    return std::move(model_);
  }

 private:
  Expected<void> header() {
    if (!at_.take_word("model")) return at_.error("expected model");
    SUBBYTE_TRY(model_.source_name, at_.string());
    if (at_.take_word("producer")) {
      SUBBYTE_TRY(model_.producer, at_.string());
    }
    if (at_.take_word("ir_version")) {
      SUBBYTE_TRY(model_.ir_version, at_.integer());
    }
    model_.opset = 18;  // the canonical form, unless the text says otherwise
    if (at_.take_word("opset")) {
      SUBBYTE_TRY(model_.opset, at_.integer());
    }
    return {};
  }

  Expected<std::uint32_t> index() {
    SUBBYTE_TRY(const std::int64_t value, at_.integer());
    if (value < 0 || value >= kNone) return at_.error("expected an index before this");
    return static_cast<std::uint32_t>(value);
  }

  Expected<void> input_source(SymbolSource& source) {
    if (!at_.take_word("input")) return at_.error("expected input or result");
    SUBBYTE_TRY(source.input, index());
    if (at_.take_word("element")) {
      source.kind = SymbolSource::Kind::input_element;
    } else if (!at_.take_word("axis")) {
      return at_.error("expected axis or element");
    }
    SUBBYTE_TRY(source.index, index());
    return {};
  }

  Expected<void> symbol() {
    Symbol symbol;
    SUBBYTE_TRY(symbol.name, at_.symbol_name());
    if (at_.take_word("result")) {
      symbol.source.kind = SymbolSource::Kind::result;
    } else {
      SUBBYTE_CHECK_OK(input_source(symbol.source));
    }
    if (at_.take_word("bounds")) {
      SUBBYTE_TRY(symbol.lower, at_.integer());
      SUBBYTE_TRY(symbol.upper, at_.integer());
    }
    model_.exprs.symbol(symbol);
    return {};
  }

  Expected<void> graph() {
    Graph graph;
    names_.clear();
    SUBBYTE_TRY(graph.name, at_.string());
    SUBBYTE_CHECK_OK(at_.expect("{"));
    const bool is_main = model_.graphs.empty();
    while (!at_.take("}")) {
      if (at_.take_word("input")) {
        const auto position = static_cast<std::uint32_t>(graph.inputs.size());
        SUBBYTE_TRY(const ValueId value, define(graph, is_main ? position : kNone));
        graph.inputs.push_back(value);
      } else if (at_.take_word("value")) {
        SUBBYTE_CHECK_OK(define(graph, kNone));
      } else if (at_.take_word("output")) {
        SUBBYTE_TRY(const ValueId value, use());
        graph.outputs.push_back(value);
      } else {
        SUBBYTE_CHECK_OK(node(graph));
      }
    }
    model_.graphs.push_back(std::move(graph));
    return {};
  }

  // `input`: the index of the model's input whose undeclared dimensions become symbols; kNone for
  // none.
  Expected<ValueId> define(Graph& graph, std::uint32_t input) {
    Value value;
    SUBBYTE_TRY(value.name, at_.name());
    if (at_.take(":")) SUBBYTE_CHECK_OK(type(value, input));
    const auto id = static_cast<ValueId>(graph.values.size());
    if (!names_.emplace(value.name, id).second) {
      return at_.error(fmt::format("value {} is defined twice before this", quoted(value.name)));
    }
    return graph.add_value(std::move(value));
  }

  Expected<void> type(Value& value, std::uint32_t input) {
    SUBBYTE_TRY(value.dtype, dtype());
    if (!at_.take("?")) {
      SUBBYTE_CHECK_OK(at_.expect("["));
      value.shape.emplace();
      while (!at_.take("]")) {
        if (!value.shape->empty()) SUBBYTE_CHECK_OK(at_.expect(","));
        const auto axis = static_cast<std::uint32_t>(value.shape->size());
        if (input != kNone)
          declare_dimension(
              {.kind = SymbolSource::Kind::input_dimension, .input = input, .index = axis});
        SUBBYTE_TRY(const Expr dim, at_.expression(model_.exprs));
        value.shape->push_back(dim);
      }
    }
    if (at_.take("<")) {
      value.content.emplace();
      while (!at_.take(">")) {
        if (!value.content->empty()) SUBBYTE_CHECK_OK(at_.expect(","));
        SUBBYTE_TRY(const Expr element, at_.expression(model_.exprs));
        value.content->push_back(element);
      }
      return {};
    }
    // After the type of a node's output, '=' is followed by an operator.
    if (at_.take_constant()) {
      std::vector<std::int64_t> dims;
      for (const Expr dim : value.shape.value_or(std::vector<Expr>{})) {
        const auto size = model_.exprs.value(dim);
        if (!size) return at_.error("a constant has constant dimensions, unlike those before this");
        dims.push_back(*size);
      }
      SUBBYTE_TRY(value.constant, tensor(value.dtype, std::move(dims)));
    }
    return {};
  }

  void declare_dimension(SymbolSource source) {
    TextCursor ahead = at_;
    const char c = ahead.peek();
    if (c != '`' && !std::isalpha(static_cast<unsigned char>(c)) && c != '_') return;
    auto name = ahead.symbol_name();
    const char next = ahead.peek();
    if (name && (next == ',' || next == ']') && !model_.exprs.find_symbol(*name)) {
      model_.exprs.symbol({.name = *name, .source = source});
    }
  }

  Expected<DType> dtype() {
    SUBBYTE_TRY(const std::string name, at_.word());
    const auto dtype = dtype_from_name(name);
    if (!dtype) return at_.error(fmt::format("{} before this is not a data type", quoted(name)));
    return *dtype;
  }

  Expected<Tensor> tensor(DType dtype, std::vector<std::int64_t> dims) {
    std::int64_t count = 1;
    for (const std::int64_t dim : dims) count = saturating_mul(count, dim);
    if (count < 0 || count > kMaxElements)
      return at_.error("the dimensions before this are too large");
    if (at_.peek() == 's') {
      return at_.error(
          "a constant that is shown by its hash cannot be read back; write the text in full");
    }
    SUBBYTE_TRY(auto bytes, at_.elements(dtype, count));
    return make_tensor(dtype, std::move(dims), std::move(bytes));
  }

  Expected<ValueId> use() {
    SUBBYTE_TRY(const std::string name, at_.name());
    const auto found = names_.find(name);
    if (found == names_.end()) {
      return at_.error(fmt::format("value {} before this is not defined", quoted(name)));
    }
    return found->second;
  }

  Expected<void> node(Graph& graph) {
    Node node;
    while (!at_.take("=")) {
      if (!node.outputs.empty()) SUBBYTE_CHECK_OK(at_.expect(","));
      if (at_.take("-")) {
        node.outputs.push_back(kNone);
      } else {
        SUBBYTE_TRY(const ValueId output, define(graph, kNone));
        node.outputs.push_back(output);
      }
    }
    const bool is_other = at_.take("!");
    if (at_.peek() == '"') {
      SUBBYTE_TRY(node.domain, at_.string());
      SUBBYTE_CHECK_OK(at_.expect("::"));
      SUBBYTE_TRY(node.op_type, at_.string());
    } else {
      SUBBYTE_TRY(node.op_type, at_.word());
    }
    node.op = is_other ? Op::Unknown : find_op(node.domain, node.op_type);
    SUBBYTE_CHECK_OK(at_.expect("("));
    while (!at_.take(")")) {
      if (!node.inputs.empty()) SUBBYTE_CHECK_OK(at_.expect(","));
      if (at_.take("-")) {
        node.inputs.push_back(kNone);
      } else {
        SUBBYTE_TRY(const ValueId input, use());
        node.inputs.push_back(input);
      }
    }
    if (at_.take("{")) SUBBYTE_CHECK_OK(attributes(node));
    if (at_.peek() == '"') {
      SUBBYTE_TRY(node.name, at_.string());
    }
    graph.add_node(std::move(node));
    return {};
  }

  Expected<void> attributes(Node& node) {
    while (!at_.take("}")) {
      if (!node.attributes.empty()) SUBBYTE_CHECK_OK(at_.expect(","));
      Attribute attribute;
      SUBBYTE_TRY(attribute.name, at_.peek() == '"' ? at_.string() : at_.word());
      SUBBYTE_CHECK_OK(at_.expect("="));
      SUBBYTE_TRY(attribute.value, attribute_value());
      node.attributes.push_back(std::move(attribute));
    }
    return {};
  }

  // Items up to the closing bracket.
  template <typename T, typename Read>
  Expected<AttributeValue> list(const Read& read) {
    std::vector<T> items;
    while (!at_.take("]")) {
      if (!items.empty()) SUBBYTE_CHECK_OK(at_.expect(","));
      SUBBYTE_TRY(T item, read());
      items.push_back(std::move(item));
    }
    return AttributeValue(std::move(items));
  }

  Expected<AttributeValue> attribute_value() {
    if (at_.peek() == '"') {
      SUBBYTE_TRY(std::string text, at_.string());
      return AttributeValue(std::move(text));
    }
    if (at_.take("[")) return list<std::int64_t>([&] { return at_.integer(); });
    if (at_.take("f[")) return list<float>([&] { return at_.single(); });
    if (at_.take("s[")) return list<std::string>([&] { return at_.string(); });
    if (at_.take_word("graph")) {
      SUBBYTE_TRY(const std::uint32_t graph, index());
      return AttributeValue(GraphRef{graph});
    }
    if (at_.take_word("tensor")) {
      SUBBYTE_TRY(const DType type, dtype());
      SUBBYTE_CHECK_OK(at_.expect("["));
      SUBBYTE_TRY(const AttributeValue dims, list<std::int64_t>([&] { return at_.integer(); }));
      SUBBYTE_TRY(Tensor value, tensor(type, std::get<std::vector<std::int64_t>>(dims)));
      return AttributeValue(std::move(value));
    }
    if (const auto value = at_.suffixed_float()) return AttributeValue(*value);
    SUBBYTE_TRY(const std::int64_t value, at_.integer());
    return AttributeValue(value);
  }

  TextCursor at_;
  Model model_;
  std::unordered_map<std::string, ValueId> names_;
};

}  // namespace

Expected<Model> parse_model(std::string_view text) { return ModelParser(text).parse(); }

}  // namespace subbyte
