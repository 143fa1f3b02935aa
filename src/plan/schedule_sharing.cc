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

// What a kernel repeats rather than reads: at most so many sums and products of numbers that are
// known, such as make what is added to scores of a mask.
constexpr int kFewOperations = 2;

bool is_sum_or_product(Op op) { return op == Op::Add || op == Op::Sub || op == Op::Mul; }

// A constant, or a size.
bool is_one_number(const Value& value) {
  return value.constant ? value.constant->elements() == 1
                        : value.content && value.content->size() == 1;
}

// Casts, sign changes, what is made from nothing and a few operations with one number cost less to
// repeat than to store, through views too.
std::vector<bool> cheap_values(const Scheduling& s) {
  // By value; sources take none.
  std::vector<int> operations(s.graph.values.size(), 0);
  constexpr int kMany = kFewOperations + 1;
  for (const NodeId n : s.live) {
    const Node& node = s.graph.nodes[n];
    const Role role = family_of(node.op).role;
    const bool light = role == Role::view || role == Role::formula || node.op == Op::Cast ||
                       node.op == Op::Neg || node.op == Op::Not;
    const auto inputs = data_inputs(node);
    int more = light ? 0 : kMany;
    ValueId of = inputs.empty() ? kNone : inputs[0];
    if (is_sum_or_product(node.op) && !s.watched[node.outputs[0]]) {
      const bool first = is_one_number(s.graph.values[inputs[0]]);
      if (first || is_one_number(s.graph.values[inputs[1]])) more = 1;
      if (first) of = inputs[1];
    }
    const int taken = std::min(more + (of == kNone ? 0 : operations[of]), kMany);
    for (const ValueId out : node.outputs) {
      if (s.is_computed(out)) operations[out] = s.result.materialized[out] ? 0 : taken;
    }
  }
  std::vector<bool> cheap;
  for (const int taken : operations) cheap.push_back(taken <= kFewOperations);
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
