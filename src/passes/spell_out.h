// Rewriting one node as several.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "passes/canonicalize_rules.h"

namespace subbyte {

// The nodes that stand for one node: they are appended to the graph, from which that node has been
// taken, and the last one computes its first output.
class Speller {
 public:
  Speller(ExprPool& exprs, Graph& graph, ConstantMaker& constants, const Node& node)
      : exprs_(exprs), graph_(graph), constants_(constants), node_(node) {}

  const Node& node() const { return node_; }
  const Graph& graph() const { return graph_; }
  ValueId input(std::size_t i) const { return node_.inputs[i]; }
  const Value& value(ValueId id) const { return graph_.values[id]; }
  // Of the first input.
  std::optional<std::size_t> rank() const;
  DType dtype() const { return value(input(0)).dtype; }

  // A new value, called after the node's output and `what`. It has the dtype of the first input
  // where that is not said.
  ValueId add(Op op, std::string_view what, std::vector<ValueId> inputs,
              std::vector<Attribute> attributes = {});
  // The node itself, changed; it has its outputs.
  void replace(Node node) { graph_.add_node(std::move(node)); }
  // The value that the node computed.
  void finish(Op op, std::vector<ValueId> inputs, std::vector<Attribute> attributes = {});

  ValueId int64s(std::string_view what, std::span<const std::int64_t> values);
  // Floats of the first input's dtype, each rounded once.
  ValueId floats(std::string_view what, std::vector<std::int64_t> dims,
                 std::span<const double> values);
  ValueId number(std::string_view what, double value);  // of rank 0
  // The value reshaped to numbers only: a constant where it is one.
  ValueId reshaped(std::string_view what, ValueId value, std::vector<std::int64_t> dims);
  ValueId constant(std::string_view what, Tensor tensor) {
    return constants_.add(node_, what, std::move(tensor));
  }
  // The elements of an integer value where all are known; none for one that is absent.
  std::optional<std::vector<std::int64_t>> numbers(ValueId value) const;
  const Tensor* constant(ValueId value) const { return graph_.constant(value); }
  bool known(Expr e) const { return exprs_.value(e).has_value(); }
  bool is_size(Expr e, std::int64_t size) const { return exprs_.is(e, size); }

 private:
  void append(Op op, std::vector<ValueId> inputs, ValueId output,
              std::vector<Attribute> attributes);

  ExprPool& exprs_;
  Graph& graph_;
  ConstantMaker& constants_;
  const Node& node_;
};

// Replaces each node of the main graph for which `spell` appends others. `spell` gives true where
// it has done so, and so does spell_out() where there was such a node.
using SpellOut = Expected<bool> (*)(Speller& speller);
Expected<bool> spell_out(Model& model, SpellOut spell);

}  // namespace subbyte
