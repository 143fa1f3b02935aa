#include <algorithm>

#include "base/text.h"
#include "graph/ops.h"
#include "reference/call.h"

namespace subbyte::reference {
namespace {

// The values of the symbols that dimensions are named by, bound from the inputs at hand.
struct Symbols {
  std::vector<std::int64_t> values;
  std::vector<bool> bound;
};

// One dimension against what the graph says: a symbol takes the first value it meets.
bool dimension_fits(const ExprPool& exprs, Expr expected, std::int64_t dim, Symbols& symbols) {
  if (const auto value = exprs.value(expected)) return *value == dim;
  if (exprs.kind(expected) != ExprKind::symbol) return true;
  const auto symbol = static_cast<std::size_t>(exprs.payload(expected));
  if (!symbols.bound[symbol]) {
    symbols.bound[symbol] = true;
    symbols.values[symbol] = dim;
  }
  return symbols.values[symbol] == dim;
}

std::string shape_text(const ExprPool& exprs, const std::vector<Expr>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i)
    text += (i != 0 ? ", " : "") + exprs.text(shape[i]);
  return text + "]";
}

}  // namespace

std::vector<std::size_t> last_readers(const Graph& graph) {
  std::vector<std::size_t> last(graph.values.size(), 0);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    for (const ValueId input : graph.nodes[n].inputs)
      if (input != kNone) last[input] = n;
  for (const ValueId output : graph.outputs) last[output] = graph.nodes.size();
  // What decides a branch is asked for each node in it.
  for (const Node& node : graph.nodes)
    if (node.op == Op::Merge) last[node.inputs[0]] = graph.nodes.size();
  return last;
}

bool is_taken(const Guard& guard, const std::function<const Tensor*(ValueId)>& find) {
  return std::ranges::all_of(guard, [&](const Branch& branch) {
    const Tensor* condition = find(branch.condition);
    return condition != nullptr && !condition->data.empty() &&
           (condition->data[0] != std::byte{0}) == branch.holds;
  });
}

Expected<void> check_inputs(const Model& model, std::span<const Tensor> inputs) {
  const Graph& graph = model.main();
  if (inputs.size() != graph.inputs.size())
    return fail("the model has {} inputs and {} are given", graph.inputs.size(), inputs.size());
  Symbols symbols{std::vector<std::int64_t>(model.exprs.symbols().size()),
                  std::vector<bool>(model.exprs.symbols().size())};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph.values[graph.inputs[i]];
    const Tensor& input = inputs[i];
    if (input.dtype != value.dtype)
      return fail("input {} is {}; it must be {}", quoted(value.name), dtype_name(input.dtype),
                  dtype_name(value.dtype));
    if (!value.shape) continue;
    bool fits = input.dims.size() == value.shape->size();
    for (std::size_t axis = 0; fits && axis < input.dims.size(); ++axis)
      fits = dimension_fits(model.exprs, (*value.shape)[axis], input.dims[axis], symbols);
    if (!fits)
      return fail("input {} has shape {}; it must be {}, a name standing for one size everywhere",
                  quoted(value.name), dims_text(input.dims), shape_text(model.exprs, *value.shape));
  }
  return {};
}

Expected<std::vector<Tensor>> run(const Model& model, std::span<const Tensor> inputs,
                                  const Observer& observe) {
  const Graph& graph = model.main();
  SUBBYTE_CHECK_OK(check_inputs(model, inputs));
  std::vector<std::optional<Tensor>> values(graph.values.size());
  const auto find = [&](ValueId id) -> const Tensor* {
    if (values[id]) return &*values[id];
    return graph.constant(id);
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    values[graph.inputs[i]] = inputs[i];
    if (observe) observe(graph.inputs[i], inputs[i]);
  }

  const std::vector<std::size_t> last = last_readers(graph);
  const Guards guards(graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const auto id = static_cast<NodeId>(n);
    if (!is_taken(guards.of_node(id), find)) continue;
    std::vector<const Tensor*> arguments;
    for (const ValueId input : node.inputs) {
      arguments.push_back(input == kNone ? nullptr : find(input));
      // The side of a Merge that was not taken is absent.
      if (input != kNone && arguments.back() == nullptr && node.op != Op::Merge)
        return fail("{}: the input {} has not been computed before the node that reads it",
                    describe(graph, id), quoted(graph.values[input].name));
    }
    auto results = evaluate(node, arguments);
    if (!results) return within(describe(graph, id), std::move(results.error()));
    if (results->size() < node.outputs.size())
      return fail("{}: the node has {} outputs; the operator gives {}", describe(graph, id),
                  node.outputs.size(), results->size());
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId output = node.outputs[i];
      if (output == kNone) continue;
      if (observe) observe(output, (*results)[i]);
      // What nothing reads is not kept.
      if (last[output] > n) values[output] = std::move((*results)[i]);
    }
    for (const ValueId input : node.inputs)
      if (input != kNone && last[input] == n) values[input].reset();
  }

  std::vector<Tensor> outputs;
  for (const ValueId output : graph.outputs) {
    const Tensor* tensor = find(output);
    if (tensor == nullptr)
      return fail("the output {} is never computed", quoted(graph.values[output].name));
    outputs.push_back(*tensor);
  }
  return outputs;
}

}  // namespace subbyte::reference
