// Folding makes no module larger than what it folds: where constants that were computed would take
// more room than what they were computed from, the nodes that make them come back. That is for what
// the GPU computes to the same bits (views, what is taken of a table, masks, sums and products) and
// for waves and what is interpolated, which it computes to their last bits: a plan computes those
// once, when the module is loaded (plan/once_steps.h). Tables of waves stay up to 64 KB, which is
// less than a kernel costs, and where a product reads them, which takes packed weights.
#pragma once

#include <map>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

class FoldedRules {
 public:
  explicit FoldedRules(std::size_t values) : maker_(values, kNone), is_wave_(values, false) {}

  // The outputs of `node` became constants; its inputs are constants still.
  void add(const Graph& graph, NodeId node);
  // The constant is about to go, for all its readers are folded.
  void release(const Graph& graph, ValueId constant);

  // Of the nodes that are not kept, marks those that come back, and undoes what was folded of them.
  void restore(Graph& graph, std::vector<bool>& keep_nodes, std::vector<bool>& keep_values);

 private:
  // A set of values that were computed from each other, or from the same constants.
  struct Family {
    std::int64_t sources = 0, stored = 0;  // elements
    bool has_waves = false;
    std::vector<ValueId> made;
  };

  bool is_larger(const Graph& graph, const Family& family, const Uses& uses,
                 const std::vector<bool>& keep_nodes) const;
  std::vector<Family> families(const Graph& graph, const std::vector<bool>& keep_nodes) const;
  void bring_back(Graph& graph, ValueId value, std::vector<bool>& keep_nodes,
                  std::vector<bool>& keep_values);

  std::vector<NodeId> maker_;  // of each value, where it is a rule that may come back
  std::vector<NodeId> nodes_;
  std::vector<bool> is_wave_;  // of each value, whether waves are in it
  std::map<ValueId, Tensor> released_;
};

}  // namespace subbyte
