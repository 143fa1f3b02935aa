#include <algorithm>

#include "base/text.h"
#include "graph/ops.h"
#include "reference/loop.h"

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

std::vector<std::size_t> last_readers(const Graph& graph, bool wants_outputs) {
  std::vector<std::size_t> last(graph.values.size(), 0);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    for (const ValueId input : graph.nodes[n].inputs)
      if (input != kNone) last[input] = n;
  if (wants_outputs)
    for (const ValueId output : graph.outputs) last[output] = graph.nodes.size();
  // What decides a branch is asked for each node in it.
  for (const Node& node : graph.nodes)
    if (node.op == Op::Merge) last[node.inputs[0]] = graph.nodes.size();
  // What comes from outside of a loop is read in every turn.
  for (const Loop& loop : find_loops(graph)) {
    for (NodeId n = loop.enter + 1; n <= loop.leave; ++n) {
      if (!loop.contains(n)) continue;
      for (const ValueId input : graph.nodes[n].inputs) {
        if (input == kNone) continue;
        const NodeId producer = graph.values[input].producer;
        const bool is_outside =
            producer == kNone || (producer != loop.enter && !loop.contains(producer));
        if (is_outside) last[input] = std::max<std::size_t>(last[input], loop.leave);
      }
    }
  }
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

namespace {

// A model on one sample, node by node.
class Run {
 public:
  Run(const Model& model, const Observer& observe)
      : model_(model),
        graph_(model.main()),
        observe_(observe),
        last_(last_readers(graph_)),
        guards_(graph_),
        loops_(find_loops(graph_)),
        values_(graph_.values.size()) {}

  Expected<std::vector<Tensor>> outputs_of(std::span<const Tensor> inputs) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      values_[graph_.inputs[i]] = inputs[i];
      if (observe_) observe_(graph_.inputs[i], inputs[i]);
    }
    for (NodeId n = 0; n < graph_.nodes.size();) {
      auto next = step(n);
      if (!next) return within(describe(graph_, n), std::move(next.error()));
      n = *next;
    }
    std::vector<Tensor> outputs;
    for (const ValueId output : graph_.outputs) {
      const Tensor* tensor = find(output);
      if (tensor == nullptr)
        return fail("the output {} is never computed", quoted(graph_.values[output].name));
      outputs.push_back(*tensor);
    }
    return outputs;
  }

 private:
  struct OpenLoop {
    const Loop* loop;
    Turns turns;
    bool is_repeated = false;
  };

  const Tensor* find(ValueId id) const {
    if (values_[id]) return &*values_[id];
    return graph_.constant(id);
  }

  // Not a side that is not taken, nor the body of a loop without turns; what is outside of a loop
  // is computed once.
  bool is_due(NodeId n) const {
    const bool runs = std::ranges::all_of(open_, [&](const OpenLoop& open) {
      if (n > open.loop->leave) return true;
      return open.loop->contains(n) ? open.turns.runs() || n == open.loop->leave
                                    : !open.is_repeated;
    });
    return runs && is_taken(guards_.of_node(n), [&](ValueId v) { return find(v); });
  }

  // The node that comes next.
  Expected<NodeId> step(NodeId n) {
    if (!is_due(n)) return n + 1;
    const Node& node = graph_.nodes[n];
    std::vector<const Tensor*> arguments;
    for (const ValueId input : node.inputs)
      arguments.push_back(input == kNone ? nullptr : find(input));
    if (node.op == Op::Leave) return leave(n, arguments);
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      // The side of a Merge that was not taken is absent.
      if (node.has_input(i) && arguments[i] == nullptr && node.op != Op::Merge)
        return fail("the input {} has not been computed before the node that reads it",
                    quoted(graph_.values[node.inputs[i]].name));
    }
    const auto loop = std::ranges::find(loops_, n, &Loop::enter);
    if (node.op == Op::Enter && loop != loops_.end()) {
      SUBBYTE_TRY(Turns turns, Turns::begin(node, arguments));
      keep(n, turns.given());
      open_.push_back({&*loop, std::move(turns)});
    } else {
      SUBBYTE_TRY(auto results, evaluate(node, arguments));
      if (results.size() < node.outputs.size())
        return fail("the node has {} outputs; the operator gives {}", node.outputs.size(),
                    results.size());
      keep(n, std::move(results));
    }
    forget(n);
    return n + 1;
  }

  Expected<NodeId> leave(NodeId n, const std::vector<const Tensor*>& arguments) {
    const Node& node = graph_.nodes[n];
    if (open_.empty() || open_.back().loop->leave != n)
      return fail("it ends turns that no Enter began");
    OpenLoop& open = open_.back();
    if (open.turns.runs()) {
      SUBBYTE_CHECK_OK(open.turns.next(node, arguments));
      open.is_repeated = true;
      if (open.turns.runs()) {
        keep(open.loop->enter, open.turns.given());
        return open.loop->enter + 1;
      }
    }
    SUBBYTE_TRY(auto results, open.turns.outputs(model_, node));
    open_.pop_back();
    keep(n, std::move(results));
    forget(n);
    return n + 1;
  }

  void keep(NodeId n, std::vector<Tensor> results) {
    const auto& outputs = graph_.nodes[n].outputs;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == kNone) continue;
      if (observe_) observe_(outputs[i], results[i]);
      // What nothing reads is not kept.
      if (last_[outputs[i]] > n) values_[outputs[i]] = std::move(results[i]);
    }
  }

  void forget(NodeId n) {
    for (const ValueId input : graph_.nodes[n].inputs)
      if (input != kNone && last_[input] == n) values_[input].reset();
  }

  const Model& model_;
  const Graph& graph_;
  const Observer& observe_;
  std::vector<std::size_t> last_;
  Guards guards_;
  std::vector<Loop> loops_;
  std::vector<std::optional<Tensor>> values_;
  std::vector<OpenLoop> open_;
};

}  // namespace

Expected<std::vector<Tensor>> run(const Model& model, std::span<const Tensor> inputs,
                                  const Observer& observe) {
  SUBBYTE_CHECK_OK(check_inputs(model, inputs));
  return Run(model, observe).outputs_of(inputs);
}

}  // namespace subbyte::reference
