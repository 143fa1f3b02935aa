#include "graph/infer.h"

#include "base/text.h"
#include "graph/arithmetic.h"
#include "graph/branches.h"
#include "graph/families.h"
#include "graph/infer/input_symbols.h"
#include "graph/infer/node_infer.h"
#include "graph/integers.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

Expected<void> infer_family(NodeInfer& c) {
  if (c.node.op == Op::Unknown) return {};
  switch (op_info(c.node.op).infer) {
#define RULE(name, typed, shaping, first, others) \
  case ShapeRule::name:                           \
    return infer_##name(c);
#include "graph/families.def"
  }
  return {};
}

// The rules index the inputs that the table promises them.
Expected<void> check_inputs(const Node& node) {
  if (node.op == Op::Unknown) return {};
  const OpInfo& info = op_info(node.op);
  if (node.inputs.size() > info.inputs_max) {
    return fail("it has {} inputs; {} takes at most {}", node.inputs.size(), info.name,
                info.inputs_max);
  }
  for (std::uint32_t i = 0; i < info.inputs_min; ++i) {
    if (!node.has_input(i)) return fail("its input {} is missing; {} needs it", i, info.name);
  }
  return {};
}

// Sizes that no later computation may stumble over: each a dimension, and all together countable.
Expected<void> check_output(const ExprPool& exprs, Value& value) {
  if (value.content) {
    std::int64_t elements = -1;
    if (const auto dims = value.shape ? small_dims(exprs, *value.shape) : std::nullopt) {
      elements = 1;
      for (const std::int64_t dim : *dims) elements *= dim;
    }
    bool keep = static_cast<std::int64_t>(value.content->size()) == elements;
    for (const Expr e : *value.content) keep = keep && exprs.is_small(e);
    if (!keep) value.content.reset();
  }
  if (!value.shape) return {};
  std::int64_t count = 1;
  for (const Expr e : *value.shape) {
    if (!exprs.is_small(e)) {
      return fail("a size of its output {} is an expression too large to keep", quoted(value.name));
    }
    const std::int64_t dim = exprs.value(e).value_or(1);
    if (dim < 0) {
      return fail("a size of its output {} is {}; a size must not be negative", quoted(value.name),
                  dim);
    }
    // A dimension of 0 does not excuse the others: strides are made of them.
    count = saturating_mul(count, dim == 0 ? 1 : dim);
  }
  if (count > INT64_MAX / 16) {
    return fail("its output {} has more elements than can be counted in 64 bits",
                quoted(value.name));
  }
  return {};
}

void set_constant(ExprPool& exprs, Value& value) {
  value.dtype = value.constant->dtype;
  value.shape.emplace();
  for (const std::int64_t dim : value.constant->dims) value.shape->push_back(exprs.constant(dim));
  if (!small_dims(exprs, *value.shape)) return;
  if (const auto elements = exact_integers(*value.constant)) {
    value.content.emplace();
    for (const std::int64_t element : *elements) value.content->push_back(exprs.constant(element));
  }
}

// The product of what is known so far of a guard; none where that is 1.
std::optional<Expr> guard_of(ExprPool& exprs, const Graph& graph, const Guard& guard) {
  Expr all = exprs.constant(1);
  for (const Branch& branch : guard) {
    const auto& condition = graph.values[branch.condition].content;
    if (!condition) continue;
    all = exprs.mul(all, branch_taken(exprs, condition->front(), branch.holds));
  }
  return exprs.is(all, 1) ? std::nullopt : std::optional(all);
}

Expected<void> infer_node(Model& model, Graph& graph, NodeId id, InferState& state) {
  NodeInfer c(model, graph, id, state);
  SUBBYTE_CHECK_OK(check_inputs(c.node));
  SUBBYTE_CHECK_OK(infer_family(c));
  infer_ratios(c);
  for (const ValueId output : c.node.outputs) {
    if (output != kNone) SUBBYTE_CHECK_OK(check_output(model.exprs, graph.values[output]));
  }
  return {};
}

// What was known before is forgotten.
void start(Model& model) {
  model.constraints.clear();
  for (Value& value : model.main().values) {
    value.content.reset();
    if (value.producer != kNone) {
      value.shape.reset();
      value.dtype = DType::undefined;
    }
    if (value.constant) set_constant(model.exprs, value);
  }
  set_input_symbols(model);
}

}  // namespace

Expected<void> infer(Model& model) {
  // Bodies of If, Loop and Scan are inferred when an operator of the table runs them.
  Graph& graph = model.main();
  start(model);
  InferState state;
  state.ratios.resize(graph.values.size());
  const Guards guards(graph);
  for (std::size_t id = 0; id < graph.nodes.size(); ++id) {
    const auto node = static_cast<NodeId>(id);
    state.guard = guard_of(model.exprs, graph, guards.of_node(node));
    // What a run never reaches may contradict itself.
    if (state.guard && model.exprs.is(*state.guard, 0)) continue;
    if (auto done = infer_node(model, graph, node, state); !done) {
      return within(describe(graph, node), std::move(done.error()));
    }
  }
  return {};
}

Inference::Inference(Model& model)
    : model_(model),
      state_(std::make_unique<InferState>()),
      guards_(std::make_unique<Guards>(model.main())) {
  start(model);
}

Inference::~Inference() = default;

bool Inference::at(NodeId original) {
  state_->guard = guard_of(model_.exprs, model_.main(), guards_->of_node(original));
  return !state_->guard || !model_.exprs.is(*state_->guard, 0);
}

Expected<void> Inference::next(NodeId node) {
  Graph& graph = model_.main();
  state_->ratios.resize(graph.values.size());
  if (state_->guard && model_.exprs.is(*state_->guard, 0)) return {};
  for (const ValueId input : graph.nodes[node].inputs) {
    // A constant that was made for this node.
    if (input != kNone && graph.values[input].constant && !graph.values[input].content)
      set_constant(model_.exprs, graph.values[input]);
  }
  return infer_node(model_, graph, node, *state_);
}

Expected<void> check_shapes(const Model& model) {
  const Graph& graph = model.main();
  for (std::size_t id = 0; id < graph.nodes.size(); ++id) {
    for (const ValueId output : graph.nodes[id].outputs) {
      if (output == kNone || graph.values[output].shape) continue;
      const Node& node = graph.nodes[id];
      if (node.op == Op::Merge && graph.values[node.inputs[1]].shape &&
          graph.values[node.inputs[2]].shape) {
        return fail(
            "node {} (If): one branch gives its output {} {} dimensions and the other {}, and "
            "which of them "
            "runs is known only when the module runs; fix what decides it with --input or --dim",
            node.name.empty() ? std::to_string(id) : quoted(node.name),
            quoted(graph.values[output].name), graph.values[node.inputs[1]].shape->size(),
            graph.values[node.inputs[2]].shape->size());
      }
      if (node.op == Op::Enter || node.op == Op::Leave) {
        const std::string name = node.name.empty() ? std::to_string(id) : quoted(node.name);
        return fail(
            "node {} (Loop): how many turns it makes is not known when converting, nor what it "
            "gives; "
            "arithmetic of floats on sizes may end in another number on a GPU; fix what says "
            "how many there are with --dim or --input",
            name);
      }
      return fail(
          "{}: the shape of its output {} is not known when converting; it depends on values that "
          "are "
          "computed when the model runs, or on an operator that subbyte does not know",
          describe(graph, static_cast<NodeId>(id)), quoted(graph.values[output].name));
    }
  }
  return {};
}

}  // namespace subbyte
