// Walks between the products of a graph, for quantize/structure.cc.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "quantize/assign.h"

namespace subbyte {

// The uses that are matrices of a product, by the node that multiplies with them.
class GraphWalk {
 public:
  GraphWalk(const Graph& graph, std::span<const NodeId> readers, std::span<const WeightUse> uses);

  // Index into `uses`; nullopt where the node multiplies with no weight.
  std::optional<std::size_t> weight_of(NodeId node) const;
  // Whether the node is a MatMul of two computed values.
  bool joins_two(NodeId node) const;

  // What a walk against the flow reached: through element-wise operators, views, and picking.
  struct Sources {
    std::vector<std::size_t> products;  // uses, in the order of their nodes
    bool activation = false;            // it came through an operator that is not linear
    bool others = false;                // it ended at something else, too, or became too long
  };
  Sources sources(ValueId value) const;

  // The first MatMul of two computed values that the flow comes from or goes to.
  NodeId joining_before(ValueId value) const;
  NodeId joining_after(ValueId value) const;
  // The first product with a weight that `value` goes to before it joins another computed value.
  std::optional<std::size_t> product_after(ValueId value) const;

  // The nodes on the ways that `a` and `b` take from the last node which both come from: what lies
  // beside and inside a residual connection. Empty where there is none nearby.
  std::vector<NodeId> between(ValueId a, ValueId b) const;

  // Whether no product with a weight comes after the node.
  bool is_last_product(NodeId node) const { return !product_follows_[node]; }

 private:
  bool is_computed(ValueId value) const;
  NodeId producer(ValueId value) const;  // kNone for an absent value, too
  std::vector<ValueId> computed_inputs(const Node& node) const;

  const Graph& graph_;
  Uses uses_;
  std::map<NodeId, std::size_t> weights_;
  std::vector<bool> product_follows_;  // by node
};

}  // namespace subbyte
