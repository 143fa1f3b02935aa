// Values that several kernels would compute again.
#include <algorithm>

#include "graph/ops.h"
#include "plan/scheduling.h"

namespace subbyte {

namespace {

// The kernels that would compute a value: none (kNone), one, by its result, or several.
constexpr ValueId kSeveral = kNone - 1;

void add_kernel(ValueId& kernels, ValueId more) {
  if (more == kNone || kernels == more) return;
  kernels = kernels == kNone ? more : kSeveral;
}

// Casts, sign changes and what is made from nothing cost less to repeat than to store, through
// views too.
std::vector<bool> cheap_values(const Scheduling& s) {
  std::vector<bool> cheap(s.graph.values.size(), true);  // sources are
  for (const NodeId n : s.live) {
    const Node& node = s.graph.nodes[n];
    const Role role = family_of(node.op).role;
    const bool light = role == Role::view || role == Role::formula || node.op == Op::Cast ||
                       node.op == Op::Neg || node.op == Op::Not;
    const auto inputs = data_inputs(node);
    const bool of_cheap = inputs.empty() || cheap[inputs[0]];
    for (const ValueId out : node.outputs) {
      if (s.is_computed(out)) cheap[out] = s.result.materialized[out] || (light && of_cheap);
    }
  }
  return cheap;
}

}  // namespace

void place_shared(Scheduling& s) {
  const std::size_t values = s.graph.values.size();
  const auto cheap = cheap_values(s);
  std::vector<ValueId> kernels(values, kNone);
  std::vector<bool> lies_still(values, false);  // for some reader
  // From the end, so that all readers of a value are known.
  for (auto it = s.live.rbegin(); it != s.live.rend(); ++it) {
    const Node& node = s.graph.nodes[*it];
    const FamilyInfo& family = family_of(node.op);
    ValueId into = kNone;
    bool of_operand = false;
    for (const ValueId out : node.outputs) {
      if (out == kNone || !s.result.needed[out]) continue;
      const bool is_view = family.role == Role::view;
      if (!is_anchor(node) && !is_view && !s.inside[out] &&
          ((kernels[out] == kSeveral && !cheap[out]) || lies_still[out])) {
        s.result.materialized[out] = true;
      }
      of_operand = of_operand || (is_view && lies_still[out]);
      // One kernel computes all outputs of an anchor.
      if (is_anchor(node) && into != kNone) continue;
      add_kernel(into, s.result.materialized[out] ? out : kernels[out]);
    }
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!node.has_input(i) || !family.data.contains(i)) continue;
      const NodeId producer = s.graph.values[node.inputs[i]].producer;
      // Each turn would compute it again.
      const bool is_outside = producer != kNone && s.loop_of[producer] != s.loop_of[*it];
      add_kernel(kernels[node.inputs[i]], is_outside ? kSeveral : into);
      if (of_operand || family.still.contains(i)) lies_still[node.inputs[i]] = true;
    }
  }
}

}  // namespace subbyte
