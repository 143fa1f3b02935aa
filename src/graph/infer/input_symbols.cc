#include "graph/infer/input_symbols.h"

#include <algorithm>
#include <functional>
#include <numeric>

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
    case Op::Enter:
    case Op::Leave:
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

// Where a branch is decided by more elements than this, the GPU computes the condition.
constexpr std::int64_t kMostDeciding = 8;

// What is computed from a value.
enum Source : std::uint8_t { kNothing, kCondition, kShape };

// Of each value.
std::vector<Source> find_shape_sources(const Graph& graph) {
  std::vector<Source> source(graph.values.size(), kNothing);
  const auto mark = [&](ValueId v, Source as) {
    if (v != kNone) source[v] = std::max(source[v], as);
  };
  // Nodes are in topological order, so one sweep from the last to the first reaches everything.
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    Source feeds = kNothing;
    for (const ValueId output : node.outputs) {
      if (output != kNone) feeds = std::max(feeds, source[output]);
    }
    if (carries_content(node.op)) {
      for (const ValueId input : node.inputs) mark(input, feeds);
    }
    if (node.op == Op::Unknown) continue;
    const InputSet shaping = rule_info(op_info(node.op).infer).shaping;
    for (std::size_t operand = 0; operand < node.inputs.size(); ++operand) {
      if (shaping.contains(operand))
        mark(node.inputs[operand], node.op == Op::Merge ? kCondition : kShape);
    }
  }
  return source;
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
  const std::vector<Source> source = find_shape_sources(graph);
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    Value& value = graph.values[graph.inputs[i]];
    const auto bounds = bounds_of(value.dtype);
    const Source use = source[graph.inputs[i]];
    if (use == kNothing || !bounds || !value.shape) continue;
    const auto dims = small_dims(model.exprs, *value.shape);
    if (!dims) continue;
    const std::int64_t count =
        std::accumulate(dims->begin(), dims->end(), std::int64_t{1}, std::multiplies<>());
    if (use == kCondition && count > kMostDeciding) continue;
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
