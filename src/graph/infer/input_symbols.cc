#include "graph/infer/input_symbols.h"

#include "graph/infer/node_infer.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

// Operators whose output content is computed from the content of their inputs; not Shape and Size,
// which look at shapes only.
bool carries_content(Op op) {
  switch (op) {
    case Op::Unknown:
    case Op::Shape:
    case Op::Size:
    case Op::Constant:
      return false;
    default:
      return true;
  }
}

struct Bounds {
  std::int64_t lower, upper;
};

std::optional<Bounds> bounds_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return Bounds{0, 1};
    case DType::uint8:
      return Bounds{0, UINT8_MAX};
    case DType::int8:
      return Bounds{INT8_MIN, INT8_MAX};
    case DType::uint16:
      return Bounds{0, UINT16_MAX};
    case DType::int16:
      return Bounds{INT16_MIN, INT16_MAX};
    case DType::uint32:
      return Bounds{0, UINT32_MAX};
    case DType::int32:
      return Bounds{INT32_MIN, INT32_MAX};
    case DType::uint64:
      return Bounds{0, INT64_MAX};
    case DType::int64:
      return Bounds{INT64_MIN, INT64_MAX};
    default:
      return std::nullopt;
  }
}

// Values from which a shape operand is computed.
std::vector<char> find_shape_sources(const Graph& graph) {
  std::vector<char> is_source(graph.values.size(), 0);
  // Nodes are in topological order, so one sweep from the last to the first reaches everything.
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    bool feeds_shape = false;
    for (const ValueId output : node.outputs) {
      feeds_shape = feeds_shape || (output != kNone && is_source[output] != 0);
    }
    if (feeds_shape && carries_content(node.op)) {
      for (const ValueId input : node.inputs) {
        if (input != kNone) is_source[input] = 1;
      }
    }
    if (node.op == Op::Unknown) continue;
    const InputSet shaping = rule_info(op_info(node.op).infer).shaping;
    for (std::size_t operand = 0; operand < node.inputs.size(); ++operand) {
      if (shaping.contains(operand) && node.has_input(operand)) is_source[node.inputs[operand]] = 1;
    }
  }
  return is_source;
}

Expr element_symbol(ExprPool& exprs, const std::string& name, SymbolSource source, Bounds bounds) {
  std::string unique = name;
  // A dim_param may have this name already; the element then gets another.
  for (;;) {
    const auto taken = exprs.find_symbol(unique);
    if (!taken) break;
    const Symbol& other = exprs.symbols()[static_cast<std::size_t>(exprs.payload(*taken))];
    if (other.source.kind == source.kind && other.source.input == source.input &&
        other.source.index == source.index) {
      break;
    }
    unique += '_';
  }
  return exprs.symbol(
      {.name = unique, .source = source, .lower = bounds.lower, .upper = bounds.upper});
}

}  // namespace

void set_input_symbols(Model& model) {
  Graph& graph = model.main();
  const std::vector<char> is_source = find_shape_sources(graph);
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    Value& value = graph.values[graph.inputs[i]];
    const auto bounds = bounds_of(value.dtype);
    if (is_source[graph.inputs[i]] == 0 || !bounds || !value.shape) continue;
    const auto dims = small_dims(model.exprs, *value.shape);
    if (!dims) continue;
    value.content.emplace();
    for_each_element(*dims, [&](std::int64_t index, const auto&) {
      const std::string name =
          dims->empty() ? value.name : fmt::format("{}[{}]", value.name, index);
      value.content->push_back(element_symbol(model.exprs, name,
                                              {.kind = SymbolSource::Kind::input_element,
                                               .input = static_cast<std::uint32_t>(i),
                                               .index = static_cast<std::uint32_t>(index)},
                                              *bounds));
    });
  }
}

}  // namespace subbyte
