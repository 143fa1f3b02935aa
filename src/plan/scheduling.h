// What the parts of scheduling share while a schedule is made, in the order in which they run.
#pragma once

#include <set>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"
#include "plan/schedule.h"

namespace subbyte {

struct Scheduling {
  Model& model;
  const Graph& graph;
  std::set<ValueId> alone;  // as schedule() takes them
  std::vector<bool> watched;

  std::vector<NodeId> live{};                  // whose results are needed, in topological order
  std::vector<std::vector<NodeId>> readers{};  // by value: live nodes that read its elements
  std::vector<std::uint32_t> loop_of{};  // by node: the innermost loop that it is in, from 1 on
  std::vector<bool> is_output{};         // by value: some output has its elements
  std::vector<NodeId> anchor_of{};  // by value: the anchor of the group that it is the result of
  std::vector<bool> inside{};       // by value: between an anchor and the result of its group
  std::vector<std::size_t> bindings{};  // by value: buffers that a kernel binds to read it
  Schedule result{};

  const Node& producer(ValueId v) const { return graph.nodes[graph.values[v].producer]; }
  // Known, or computed before any kernel runs.
  bool is_source(ValueId v) const {
    const Value& value = graph.values[v];
    return value.constant || is_immediate(value) || value.producer == kNone;
  }
  // Computed by a kernel of the plan, which may be that of its reader.
  bool is_computed(ValueId v) const { return v != kNone && result.needed[v] && !is_source(v); }
  bool is_view(ValueId v) const;  // not a source, and the output of a view
};

// live, readers, is_output, needed; gives tensors to inputs, outputs and what stands alone.
void find_live(Scheduling& s);

// Groups grow from their anchors along post-dominators over element-wise nodes and reshapes, while
// one kernel can bind what they read.
void grow_groups(Scheduling& s);

// A value that several kernels would compute again, or that a kernel reads at computed places, gets
// a tensor.
void place_shared(Scheduling& s);

// Where a kernel would bind too many buffers or compute too much, some of what it computes gets a
// tensor.
Expected<void> keep_within_limits(Scheduling& s);

// The tensors that the kernel of `result` binds beside what it reads: those it writes, and its own.
std::size_t results_of(const Scheduling& s, ValueId result);

}  // namespace subbyte
