#include "plan/schedule.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "graph/ops.h"
#include "plan/view_steps.h"

namespace subbyte {

namespace {

// A group that grows past this many nodes would make a kernel that no driver compiles well.
constexpr std::size_t kMaxGroup = 48;
// Element-wise nodes that one kernel may compute for each element it reads.
constexpr std::size_t kMaxInlined = 64;

Expr element_count(ExprPool& exprs, const Value& value) { return exprs.product(*value.shape); }

class Scheduler {
 public:
  Scheduler(const Model& model, std::set<ValueId> alone)
      : model_(model),
        exprs_(model.exprs),
        graph_(model.main()),
        readers_(graph_.values.size()),
        alone_(std::move(alone)),
        forced_(alone_) {}

  Expected<Schedule> run() {
    find_needed();
    for (int attempt = 0; attempt < 4 * static_cast<int>(graph_.nodes.size()) + 4; ++attempt) {
      place_outputs();
      grow_groups();
      place_shared();
      SUBBYTE_TRY(const bool done, within_limits());
      if (done) return finish();
    }
    return fail(
        "no way was found to keep each kernel within {} buffers; this is a fault of subbyte",
        kMaxStorageBindings);
  }

 private:
  bool is_source(ValueId v) const {
    const Value& value = graph_.values[v];
    return value.constant || is_immediate(value) || value.producer == kNone;
  }
  const Node& producer(ValueId v) const { return graph_.nodes[graph_.values[v].producer]; }

  void need(ValueId v) {
    std::vector<ValueId> work{v};
    while (!work.empty()) {
      const ValueId next = work.back();
      work.pop_back();
      if (result_.needed[next]) continue;
      result_.needed[next] = true;
      if (is_source(next)) continue;
      // The kernel of an anchor is that of its first output, whichever is wanted.
      if (is_anchor(producer(next)) && producer(next).outputs[0] != kNone)
        work.push_back(producer(next).outputs[0]);
      for (const ValueId input : data_inputs(producer(next))) work.push_back(input);
    }
  }

  void find_needed() {
    result_.needed.assign(graph_.values.size(), false);
    for (const ValueId output : graph_.outputs) {
      const ValueId source = same_order_source(graph_, output);
      const Value& value = graph_.values[source];
      const bool input =
          std::find(graph_.inputs.begin(), graph_.inputs.end(), source) != graph_.inputs.end();
      if (input || graph_.values[output].content) continue;
      outputs_.insert(source);
      if (value.constant) constant_outputs_.insert(source);
      need(source);
    }
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      const bool live = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId o) {
        return o != kNone && result_.needed[o] && !is_source(o);
      });
      if (!live) continue;
      live_.push_back(n);
      for (const ValueId input : data_inputs(node)) {
        if (result_.needed[input]) readers_[input].push_back(n);
      }
    }
  }

  void place_outputs() {
    result_.materialized.assign(graph_.values.size(), false);
    anchor_of_.clear();
    inside_.clear();
    for (const ValueId output : outputs_) result_.materialized[output] = true;
    for (const ValueId v : forced_) result_.materialized[v] = true;
    for (const ValueId input : graph_.inputs) {
      if (result_.needed[input]) result_.materialized[input] = true;
    }
  }

  // The nodes between an anchor and the exit of its group; exits in the order in which they were
  // reached.
  void grow_groups() {
    for (const NodeId n : live_) {
      const Node& node = graph_.nodes[n];
      if (!is_anchor(node)) continue;
      const ValueId start = node.outputs[0];
      if (start == kNone) continue;
      std::vector<std::pair<ValueId, std::set<ValueId>>> exits{{start, {}}};
      grow(start, exits);
      std::size_t keep = exits.size();
      if (const auto it = most_exits_.find(n); it != most_exits_.end()) {
        keep = std::min(keep, it->second);
      }
      // A forced value inside a group ends it there.
      const auto& [exit, members] = exits[keep - 1];
      anchor_of_[exit] = n;
      exits_of_[n] = keep;
      result_.materialized[exit] = true;
      for (const ValueId member : members) {
        if (member != exit) inside_.insert(member);
      }
      if (exit != start) inside_.insert(start);
      for (std::size_t i = 1; i < node.outputs.size(); ++i) {
        if (node.outputs[i] != kNone && result_.needed[node.outputs[i]]) {
          result_.materialized[node.outputs[i]] = true;
        }
      }
    }
  }

  void grow(ValueId start, std::vector<std::pair<ValueId, std::set<ValueId>>>& exits) {
    std::set<ValueId> region{start};
    std::set<NodeId> taken;
    const Expr count = element_count(exprs_, graph_.values[start]);
    while (region.size() < kMaxGroup) {
      // A value that must have a tensor can only be the end.
      for (const ValueId v : region) {
        if (result_.materialized[v]) return;
      }
      NodeId next = kNone;
      for (const ValueId v : region) {
        for (const NodeId reader : readers_[v]) {
          if (!taken.contains(reader)) next = std::min(next, reader);
        }
      }
      if (next == kNone) return;
      const Node& node = graph_.nodes[next];
      const bool allowed =
          family_of(node.op).role == Role::scalar || keeps_order(node, node.outputs[0]);
      if (!allowed || inside_.contains(node.outputs[0]) || anchor_of_.contains(node.outputs[0]))
        return;
      if (element_count(exprs_, graph_.values[node.outputs[0]]) != count) return;
      // The kernel's value must be read in place, not broadcast or as data of a different order.
      taken.insert(next);
      region.insert(node.outputs[0]);
      std::size_t open = 0;
      ValueId exit = kNone;
      for (const ValueId v : region) {
        const bool outside = outputs_.contains(v) || forced_.contains(v) ||
                             std::any_of(readers_[v].begin(), readers_[v].end(),
                                         [&](NodeId r) { return !taken.contains(r); });
        if (outside || readers_[v].empty()) {
          ++open;
          exit = v;
        }
      }
      if (open == 1 && exit == node.outputs[0]) exits.emplace_back(exit, region);
    }
  }

  // Casts and sign changes of one value cost less to repeat than to store.
  bool cheap(ValueId v) const {
    for (ValueId at = v; !is_source(at) && !result_.materialized[at];) {
      const Node& node = producer(at);
      const Role role = family_of(node.op).role;
      const bool light = role == Role::view || role == Role::formula || node.op == Op::Cast ||
                         node.op == Op::Neg || node.op == Op::Not;
      if (!light) return false;
      const auto inputs = data_inputs(node);
      if (inputs.empty()) return true;
      at = inputs[0];
    }
    return true;
  }

  // In reverse order: which kernels would compute each value; a value that several would is given a
  // tensor.
  void place_shared() {
    std::vector<std::set<ValueId>> roots(graph_.values.size());
    std::vector<bool> as_operand(graph_.values.size(), false);
    for (auto it = live_.rbegin(); it != live_.rend(); ++it) {
      const Node& node = graph_.nodes[*it];
      for (const ValueId out : node.outputs) {
        if (out == kNone || !result_.needed[out]) continue;
        const bool is_view = family_of(node.op).role == Role::view;
        if (!is_anchor(node) && !result_.materialized[out] && !inside_.contains(out) && !is_view &&
            ((roots[out].size() > 1 && !cheap(out)) || as_operand[out])) {
          result_.materialized[out] = true;
        }
      }
      std::set<ValueId> into;
      for (const ValueId out : node.outputs) {
        if (out == kNone || !result_.needed[out]) continue;
        // One kernel computes all outputs of a row kernel.
        if (is_anchor(node) && !into.empty()) break;
        if (result_.materialized[out]) {
          into.insert(out);
        } else {
          into.insert(roots[out].begin(), roots[out].end());
        }
      }
      const FamilyInfo& family = family_of(node.op);
      const bool of_operand =
          family.role == Role::view &&
          std::ranges::any_of(node.outputs, [&](ValueId o) { return o != kNone && as_operand[o]; });
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (!node.has_input(i) || !family.data.contains(i)) continue;
        roots[node.inputs[i]].insert(into.begin(), into.end());
        if (of_operand || family.still.contains(i)) as_operand[node.inputs[i]] = true;
      }
    }
  }

  // The buffers that a kernel binds and the nodes it computes, its own result apart.
  struct Reads {
    std::set<ValueId> leaves;
    std::vector<ValueId> inlined;  // values computed inside, nearest to the result first
  };
  // `result` is what the kernel stores; kNone where it only reads `v`. Stops where more than `most`
  // nodes are computed.
  void collect(ValueId v, ValueId result, Reads& reads, std::size_t most = SIZE_MAX) const {
    std::set<ValueId> seen;
    std::vector<ValueId> work{v};
    for (std::size_t i = 0; i < work.size() && reads.inlined.size() <= most; ++i) {
      const ValueId at = work[i];
      if (!seen.insert(at).second) continue;
      const Value& value = graph_.values[at];
      if (at != result && (result_.materialized[at] || value.constant)) {
        if (!is_immediate(value)) reads.leaves.insert(at);
        continue;
      }
      if (is_source(at)) {
        if (!is_immediate(value)) reads.leaves.insert(at);
        continue;
      }
      if (at != result) reads.inlined.push_back(at);
      for (const ValueId input : data_inputs(producer(at))) work.push_back(input);
    }
  }

  std::size_t bindings(const Reads& reads) const {
    std::size_t count = 0;
    for (const ValueId leaf : reads.leaves) {
      // A quantized matrix operand of a product is bound by its parts, as a table too large for one
      // binding is.
      const bool matrix = graph_.values[leaf].constant && graph_.values[leaf].shape->size() >= 2 &&
                          std::any_of(readers_[leaf].begin(), readers_[leaf].end(), [&](NodeId n) {
                            return family_of(graph_.nodes[n].op).role == Role::product ||
                                   graph_.nodes[n].op == Op::Transpose;
                          });
      const bool table = std::any_of(readers_[leaf].begin(), readers_[leaf].end(), [&](NodeId n) {
        return alone_.contains(graph_.nodes[n].outputs[0]) && graph_.nodes[n].inputs[0] == leaf;
      });
      count += matrix || table ? 3 : 1;
    }
    return count;
  }

  // What a kernel reads: of a long Concat, what the step of each part reads.
  std::vector<Reads> reads_of(NodeId n, ValueId result) const {
    const Node& node = graph_.nodes[n];
    std::vector<Reads> steps;
    if (node.op == Op::Concat && node.inputs.size() > kMaxJoinedParts) {
      for (const ValueId part : node.inputs) collect(part, kNone, steps.emplace_back());
      return steps;
    }
    collect(result, result, steps.emplace_back());
    return steps;
  }

  // The tensors that a kernel writes.
  std::size_t results(ValueId result) const {
    const auto anchor = anchor_of_.find(result);
    if (anchor == anchor_of_.end()) return 1;
    std::size_t count = 1;
    const auto& outputs = graph_.nodes[anchor->second].outputs;
    for (std::size_t i = 1; i < outputs.size(); ++i)
      count += outputs[i] != kNone && result_.materialized[outputs[i]] ? 1 : 0;
    return count;
  }

  // False after a change that makes the next attempt better.
  Expected<bool> within_limits() {
    for (const NodeId n : live_) {
      for (const ValueId out : graph_.nodes[n].outputs) {
        if (out == kNone || !result_.materialized[out] || !result_.needed[out]) continue;
        for (const Reads& reads : reads_of(n, out)) {
          if (results(out) + bindings(reads) <= kMaxStorageBindings &&
              reads.inlined.size() <= kMaxInlined)
            continue;
          if (relieve(out, reads)) return false;
          if (results(out) + bindings(reads) <= kMaxStorageBindings) continue;
          return fail("{}: a kernel for it would bind {} buffers; {} is the most",
                      describe(graph_, n), results(out) + bindings(reads), kMaxStorageBindings);
        }
      }
    }
    return true;
  }

  // Makes the kernel of `out` smaller: its group ends earlier, or something that it computes gets a
  // tensor.
  bool relieve(ValueId out, const Reads& reads) {
    if (const auto it = anchor_of_.find(out); it != anchor_of_.end() && exits_of_[it->second] > 1) {
      most_exits_[it->second] = exits_of_[it->second] - 1;
      return true;
    }
    const auto victim = split_point(reads);
    if (victim) forced_.insert(*victim);
    return victim.has_value();
  }

  // The inlined value whose own tensor saves most: the one that computes most and still fits into
  // one kernel.
  std::optional<ValueId> split_point(const Reads& reads) const {
    std::optional<ValueId> best;
    std::size_t most = 1;
    for (const ValueId v : reads.inlined) {
      if (inside_.contains(v) || family_of(producer(v).op).role == Role::view ||
          is_anchor(producer(v)))
        continue;
      Reads inner;
      collect(v, v, inner, kMaxInlined);
      if (bindings(inner) >= kMaxStorageBindings || inner.inlined.size() > kMaxInlined) continue;
      const std::size_t size = std::max(inner.leaves.size(), inner.inlined.size() / 8);
      if (size <= most) continue;
      best = v;
      most = size;
    }
    return best;
  }

  Schedule finish() {
    for (const NodeId n : live_) {
      for (const ValueId out : graph_.nodes[n].outputs) {
        if (out == kNone || !result_.materialized[out] || !result_.needed[out]) continue;
        const auto it = anchor_of_.find(out);
        // The second and third outputs of a row kernel are written by the kernel of the first.
        if (it == anchor_of_.end() && is_anchor(graph_.nodes[n])) continue;
        result_.kernels.push_back(Kernel{it == anchor_of_.end() ? kNone : it->second, out});
      }
    }
    for (const ValueId v : constant_outputs_) result_.kernels.push_back(Kernel{kNone, v});
    return std::move(result_);
  }

  const Model& model_;
  ExprPool exprs_;  // a copy: counting elements makes expressions
  const Graph& graph_;
  std::vector<std::vector<NodeId>> readers_;  // live nodes that read a value's elements
  std::vector<NodeId> live_;                  // in topological order
  std::set<ValueId> outputs_, constant_outputs_;
  const std::set<ValueId> alone_;
  std::set<ValueId> forced_;
  std::map<ValueId, NodeId> anchor_of_;  // exit -> anchor
  std::map<NodeId, std::size_t> exits_of_;
  std::map<NodeId, std::size_t> most_exits_;  // of groups that were too large
  std::set<ValueId> inside_;                  // values between an anchor and its exit
  Schedule result_;
};

}  // namespace

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

ValueId same_order_source(const Graph& graph, ValueId value) {
  while (graph.values[value].producer != kNone && !graph.values[value].constant) {
    const Node& node = graph.nodes[graph.values[value].producer];
    if (!keeps_order(node, value)) break;
    value = node.inputs[0];
  }
  return value;
}

bool is_immediate(const Value& value) {
  if (value.constant && value.constant->elements() == 1) return true;
  return value.content && value.content->size() <= kInlineContent;
}

Expected<Schedule> schedule(const Model& model, std::set<ValueId> alone) {
  return Scheduler(model, std::move(alone)).run();
}

}  // namespace subbyte
