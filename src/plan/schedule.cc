#include "plan/schedule.h"

#include <algorithm>
#include <numeric>

#include "graph/loops.h"
#include "graph/ops.h"
#include "plan/scheduling.h"
#include "plan/view_steps.h"
#include "plan/wide_constants.h"

namespace subbyte {

namespace {

// What sizes depend on, or a later turn, is known when its kernels have run.
bool counts_elements(const Graph& graph, const Node& node) {
  return node.op == Op::Leave || node.op == Op::NonZero || node.op == Op::NonMaxSuppression ||
         node.op == Op::Decide ||
         (node.op == Op::ReadBack && !graph.values[node.inputs[0]].content) ||
         (node.op == Op::TopK && !graph.values[node.inputs[1]].content);
}

void need(Scheduling& s, ValueId v) {
  std::vector<ValueId> work{v};
  while (!work.empty()) {
    const ValueId next = work.back();
    work.pop_back();
    if (s.result.needed[next]) continue;
    s.result.needed[next] = true;
    if (s.is_source(next)) continue;
    const Node& node = s.producer(next);
    // The kernel of an anchor is that of its first output, whichever is wanted.
    if (is_anchor(node) && node.outputs[0] != kNone) work.push_back(node.outputs[0]);
    for (const ValueId input : data_inputs(node)) work.push_back(input);
  }
}

// A quantized matrix operand of a product is bound by its parts, as a table too large for one
// binding is.
void count_bindings(Scheduling& s) {
  s.bindings.assign(s.graph.values.size(), 1);
  for (const NodeId n : s.live) {
    const Node& node = s.graph.nodes[n];
    const bool of_matrices = family_of(node.op).role == Role::product || node.op == Op::Transpose;
    for (const ValueId input : data_inputs(node)) {
      const Value& value = s.graph.values[input];
      if (of_matrices && value.constant && value.shape->size() >= 2) s.bindings[input] = 3;
    }
    if (s.alone.contains(node.outputs[0])) s.bindings[node.inputs[0]] = 3;
  }
}

// What goes from turn to turn has a tensor, whatever reads it.
void place_states(Scheduling& s) {
  s.loop_of.assign(s.graph.nodes.size(), 0);
  std::uint32_t number = 0;
  for (const Loop& loop : find_loops(s.graph)) {
    ++number;
    for (NodeId n = loop.enter + 1; n <= loop.leave; ++n)
      if (loop.contains(n)) s.loop_of[n] = number;
    const auto& states = s.graph.nodes[loop.enter].outputs;
    for (std::size_t k = 0; k + 1 < states.size(); ++k) {
      s.result.materialized[states[k]] = true;
      need(s, states[k]);
    }
  }
}

std::vector<Kernel> kernels_in_order(const Scheduling& s) {
  std::vector<Kernel> kernels;
  for (const NodeId n : s.live) {
    for (const ValueId out : s.graph.nodes[n].outputs) {
      if (out == kNone || !s.result.materialized[out] || !s.result.needed[out]) continue;
      // The second and third outputs of a row kernel are written by the kernel of the first.
      if (s.anchor_of[out] == kNone && is_anchor(s.graph.nodes[n])) continue;
      kernels.push_back(Kernel{s.anchor_of[out], out});
    }
  }
  // A constant that is an output is copied into a tensor.
  for (ValueId v = 0; v < s.graph.values.size(); ++v) {
    if (s.is_output[v] && s.graph.values[v].constant) kernels.push_back(Kernel{kNone, v});
  }
  return kernels;
}

}  // namespace

bool Scheduling::is_view(ValueId v) const {
  return !is_source(v) && subbyte::is_view(producer(v).op);
}

void find_live(Scheduling& s) {
  const Graph& graph = s.graph;
  const std::size_t values = graph.values.size();
  s.readers.resize(values);
  s.is_output.assign(values, false);
  s.anchor_of.assign(values, kNone);
  s.inside.assign(values, false);
  s.result.needed.assign(values, false);
  s.result.materialized.assign(values, false);
  std::vector<bool> is_input(values, false);
  for (const ValueId input : graph.inputs) is_input[input] = true;
  const std::vector<ValueId> sources = same_order_sources(graph);
  for (const ValueId output : graph.outputs) {
    const ValueId source = sources[output];
    if (is_input[source] || graph.values[output].content || is_wide_constant(graph.values[source]))
      continue;
    s.is_output[source] = true;
    s.result.materialized[source] = true;
    need(s, source);
  }
  for (const Node& node : graph.nodes) {
    // What it counts or decides is a size of others, even where nothing reads what it finds.
    if (!counts_elements(graph, node) || s.is_source(node.outputs[0])) continue;
    s.result.materialized[node.outputs[0]] = true;
    need(s, node.outputs[0]);
  }
  place_states(s);
  for (const ValueId v : s.alone) s.result.materialized[v] = true;
  for (const ValueId input : graph.inputs) {
    if (s.result.needed[input]) s.result.materialized[input] = true;
  }
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (std::ranges::none_of(node.outputs, [&](ValueId o) { return s.is_computed(o); })) continue;
    s.live.push_back(n);
    for (const ValueId input : data_inputs(node)) {
      if (s.result.needed[input]) s.readers[input].push_back(n);
    }
  }
  count_bindings(s);
}

std::size_t results_of(const Scheduling& s, ValueId result) {
  const NodeId anchor = s.anchor_of[result];
  if (anchor == kNone) return 1;
  const auto& outputs = s.graph.nodes[anchor].outputs;
  return 1 + family_of(s.graph.nodes[anchor].op).own +
         static_cast<std::size_t>(std::count_if(outputs.begin() + 1, outputs.end(), [&](ValueId o) {
           return o != kNone && s.result.materialized[o];
         }));
}

std::vector<ValueId> data_inputs(const Node& node) {
  const InputSet data = family_of(node.op).data;
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.has_input(i) && data.contains(i)) inputs.push_back(node.inputs[i]);
  }
  return inputs;
}

bool is_anchor(const Node& node) {
  const Role role = family_of(node.op).role;
  return role == Role::anchor || role == Role::product;
}

std::vector<ValueId> same_order_sources(const Graph& graph) {
  std::vector<ValueId> sources(graph.values.size());
  std::iota(sources.begin(), sources.end(), ValueId{0});
  for (const Node& node : graph.nodes) {
    for (const ValueId output : node.outputs) {
      if (output == kNone || graph.values[output].constant || !keeps_order(node, output)) continue;
      sources[output] = sources[node.inputs[0]];
    }
  }
  return sources;
}

bool is_immediate(const Value& value) {
  if (value.constant && value.constant->elements() == 1) return true;
  return value.content && value.content->size() <= kInlineContent;
}

Expected<Schedule> schedule(Model& model, std::set<ValueId> alone,
                            const std::vector<bool>& watched) {
  Scheduling s{model, model.main(), std::move(alone), watched};
  s.watched.resize(model.main().values.size(), false);
  find_live(s);
  grow_groups(s);
  place_shared(s);
  SUBBYTE_CHECK_OK(keep_within_limits(s));
  s.result.kernels = kernels_in_order(s);
  s.result.watched.assign(s.watched.size(), 0);
  std::uint32_t number = 0;
  for (ValueId v = 0; v < s.watched.size(); ++v) {
    if (s.watched[v] && s.is_computed(v)) s.result.watched[v] = ++number;
  }
  return std::move(s.result);
}

}  // namespace subbyte
