// Groups: what a kernel with an anchor computes after it, its epilogue.
#include <algorithm>

#include "plan/scheduling.h"
#include "plan/view_steps.h"

namespace subbyte {

namespace {

// A group that grows past this many nodes would make a kernel that no driver compiles well.
constexpr std::size_t kMaxGroup = 48;

class Group {
 public:
  // `looked_at`: by value, what it is a view of.
  Group(Scheduling& s, const std::vector<ValueId>& looked_at, NodeId anchor)
      : s_(s),
        looked_at_(looked_at),
        anchor_(anchor),
        count_(elements(s.graph.nodes[anchor].outputs[0])),
        members_{s.graph.nodes[anchor].outputs[0]} {
    for (const ValueId other : s.graph.nodes[anchor].outputs) {
      if (other == kNone || other == members_.front() || !s.result.needed[other]) continue;
      for (const NodeId reader : s.readers[other])
        first_of_others_ = std::min(first_of_others_, reader);
    }
  }

  // The values from the anchor's own to the last at which the group may end.
  std::vector<ValueId> grow() {
    std::size_t size = 1;
    read(s_.graph.nodes[anchor_]);
    // A value that must have a tensor can only be the end.
    while (members_.size() < kMaxGroup && !s_.result.materialized[members_.back()] && take_next()) {
      if (is_exit()) size = members_.size();
    }
    members_.resize(size);
    return members_;
  }

 private:
  Expr elements(ValueId v) const { return s_.model.exprs.product(*s_.graph.values[v].shape); }
  bool is_member(ValueId v) const {
    return std::find(members_.begin(), members_.end(), v) != members_.end();
  }
  bool is_taken(NodeId n) const {
    return std::find(taken_.begin(), taken_.end(), n) != taken_.end();
  }

  // The first node that reads a member joins; false where it cannot.
  bool take_next() {
    NodeId next = kNone;
    for (const ValueId v : members_) {
      for (const NodeId reader : s_.readers[v]) {
        if (!is_taken(reader)) next = std::min(next, reader);
      }
    }
    if (next == kNone || next > first_of_others_) return false;
    // What is computed once is not computed again in each turn.
    if (s_.loop_of[next] != s_.loop_of[anchor_]) return false;
    const Node& node = s_.graph.nodes[next];
    const ValueId out = node.outputs[0];
    // The kernel's value must be read in place, not broadcast or as data of a different order.
    const bool in_place = family_of(node.op).role == Role::scalar || keeps_order(node, out);
    if (!in_place || s_.inside[out] || s_.anchor_of[out] != kNone || elements(out) != count_)
      return false;
    read(node);
    if (1 + bindings_ + flags(out) > kMaxStorageBindings) return false;
    taken_.push_back(next);
    members_.push_back(out);
    return true;
  }

  // The flag of the run, which a kernel binds that watches a member.
  std::size_t flags(ValueId newest) const {
    const bool watches = s_.watched[newest] ||
                         std::ranges::any_of(members_, [&](ValueId v) { return s_.watched[v]; });
    return watches ? 1 : 0;
  }

  // Only the newest member is read by others than members.
  bool is_exit() const {
    return std::ranges::all_of(members_, [&](ValueId v) {
      const bool is_read_outside =
          s_.is_output[v] || s_.alone.contains(v) || s_.readers[v].empty() ||
          std::ranges::any_of(s_.readers[v], [&](NodeId r) { return !is_taken(r); });
      return is_read_outside == (v == members_.back());
    });
  }

  // What else a node reads, as if all of it had tensors: what has none may still get one.
  void read(const Node& node) {
    for (const ValueId input : data_inputs(node)) {
      const ValueId leaf = looked_at_[input];
      if (leaf == kNone || is_member(input) ||
          std::find(leaves_.begin(), leaves_.end(), leaf) != leaves_.end())
        continue;
      leaves_.push_back(leaf);
      bindings_ += s_.bindings[leaf];
    }
    if (&node != &s_.graph.nodes[anchor_]) return;
    bindings_ += family_of(node.op).own;
    for (std::size_t i = 1; i < node.outputs.size(); ++i) {
      bindings_ += node.outputs[i] != kNone && s_.result.needed[node.outputs[i]] ? 1 : 0;
    }
  }

  Scheduling& s_;
  const std::vector<ValueId>& looked_at_;
  const NodeId anchor_;
  const Expr count_;
  std::vector<ValueId> members_;
  std::vector<NodeId> taken_;
  std::vector<ValueId> leaves_;
  std::size_t bindings_ = 0;
  // The first node that reads another output of the anchor: the kernel, which stands where its last
  // member does, must run before it.
  NodeId first_of_others_ = kNone;
};

// By value: what it is a view of; kNone where nothing that has a tensor is read for it.
std::vector<ValueId> looked_at(const Scheduling& s) {
  std::vector<ValueId> result(s.graph.values.size());
  for (ValueId v = 0; v < result.size(); ++v) {
    result[v] = is_immediate(s.graph.values[v]) ? kNone : v;
  }
  for (const NodeId n : s.live) {
    const Node& node = s.graph.nodes[n];
    const auto inputs = data_inputs(node);
    const bool reads_nothing =
        std::ranges::all_of(inputs, [&](ValueId v) { return result[v] == kNone; });
    for (const ValueId out : node.outputs) {
      if (!s.is_computed(out) || s.result.materialized[out] || is_anchor(node)) continue;
      if (reads_nothing) result[out] = kNone;
      if (s.is_view(out) && !inputs.empty()) result[out] = result[inputs[0]];
    }
  }
  return result;
}

}  // namespace

void grow_groups(Scheduling& s) {
  const auto sources = looked_at(s);
  for (const NodeId n : s.live) {
    const Node& node = s.graph.nodes[n];
    if (!is_anchor(node) || node.outputs[0] == kNone) continue;
    const auto members = Group(s, sources, n).grow();
    s.anchor_of[members.back()] = n;
    s.result.materialized[members.back()] = true;
    for (std::size_t i = 0; i + 1 < members.size(); ++i) s.inside[members[i]] = true;
    for (std::size_t i = 1; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNone && s.result.needed[node.outputs[i]]) {
        s.result.materialized[node.outputs[i]] = true;
      }
    }
  }
}

}  // namespace subbyte
