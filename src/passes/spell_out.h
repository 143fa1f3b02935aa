// Rewriting one node as several.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "graph/infer.h"
#include "passes/canonicalize_rules.h"

namespace subbyte {

// A size of a tensor that is to be made: a number times sizes of tensors that are there.
struct Size {
  struct Axis {
    ValueId value;
    std::size_t axis;
    friend bool operator==(const Axis&, const Axis&) = default;
  };
  std::int64_t number = 1;
  std::vector<Axis> axes{};

  friend bool operator==(const Size&, const Size&) = default;
  friend Size operator*(Size a, const Size& b);
};
inline Size size_of(std::int64_t number) { return {number, {}}; }

// What is the same for all nodes of a graph that is being spelled out.
struct SpellContext {
  std::span<const Node> nodes;  // as they were
  Inference* inference = nullptr;
  // The tensors that a sequence holds, by the value that it is.
  std::map<ValueId, std::vector<ValueId>> sequences{};
};

// The nodes that stand for one node: they are appended to the graph, from which that node has been
// taken, and compute its outputs. Where inference goes along (spell_operators()), the dtypes and
// shapes of what was added are known at once.
class Speller {
 public:
  Speller(Model& model, ConstantMaker& constants, const Node& node, SpellContext& context)
      : model_(model),
        graph_(model.main()),
        constants_(constants),
        node_(node),
        context_(context) {}

  const Node& node() const { return node_; }
  const Graph& graph() const { return graph_; }
  // All nodes as they were, also those that come later.
  std::span<const Node> nodes() const { return context_.nodes; }
  std::int64_t opset() const { return model_.opset; }
  bool has(std::size_t i) const { return node_.has_input(i); }
  // An error names the first of these inputs that is absent.
  Expected<void> needs(std::initializer_list<std::size_t> inputs) const;
  // kNone where it is absent.
  ValueId input(std::size_t i) const { return has(i) ? node_.inputs[i] : kNone; }
  const Value& value(ValueId id) const { return graph_.values[id]; }
  std::optional<std::size_t> rank(ValueId id) const;
  std::optional<std::size_t> rank() const { return rank(input(0)); }  // of the first input
  DType dtype() const { return value(input(0)).dtype; }               // of the first input
  // Whether output i is there and something may read it.
  bool wants(std::size_t i) const;

  // A new value, called after the node's output and `what`.
  ValueId add(Op op, std::string_view what, std::vector<ValueId> inputs,
              std::vector<Attribute> attributes = {});
  // One value for each of the sizes along an axis.
  std::vector<ValueId> split(std::string_view what, ValueId value, std::int64_t axis,
                             std::span<const std::int64_t> sizes);
  // The same with several outputs.
  std::vector<ValueId> add_several(Op op, std::string_view what, std::size_t outputs,
                                   std::vector<ValueId> inputs,
                                   std::vector<Attribute> attributes = {});
  // Gives the constant that stands for another the name that the source has for it.
  void take_name(ValueId constant, ValueId from);
  // Output i of the node, where it is wanted.
  void give(std::size_t i, Op op, std::vector<ValueId> inputs,
            std::vector<Attribute> attributes = {});
  // The node itself, changed; it has its outputs.
  void replace(Node node) { append(std::move(node)); }
  // The first output of the node.
  void finish(Op op, std::vector<ValueId> inputs, std::vector<Attribute> attributes = {});
  // Output i is this value.
  void finish(std::size_t i, ValueId value);

  // The tensors of the sequence that a value is; nullptr where it is none that is known.
  const std::vector<ValueId>* sequence(ValueId value) const;
  // The first output is a sequence of these.
  void know_sequence(std::vector<ValueId> tensors);
  // The node becomes one that lists them.
  void finish_sequence(std::vector<ValueId> tensors);

  ValueId int64s(std::string_view what, std::span<const std::int64_t> values);
  ValueId int64s(std::string_view what, std::initializer_list<std::int64_t> values) {
    return int64s(what, std::span(values.begin(), values.size()));
  }
  static Tensor ones(DType dtype);  // [1]
  // Floats of the first input's dtype, each rounded once.
  ValueId floats(std::string_view what, std::vector<std::int64_t> dims,
                 std::span<const double> values);
  // 0, 1, ... before `count`, an int64 of rank 0.
  ValueId range(std::string_view what, ValueId count);
  // A constant whose elements the operator defines: not a weight, which could be narrowed.
  ValueId defined(std::string_view what, Tensor tensor);
  ValueId number(std::string_view what, double value);  // of rank 0
  ValueId number(std::string_view what, DType dtype, double value);
  // The value reshaped to numbers only: a constant where it is one.
  ValueId reshaped(std::string_view what, ValueId value, std::vector<std::int64_t> dims);
  ValueId constant(std::string_view what, Tensor tensor) {
    return constants_.add(node_, what, std::move(tensor));
  }

  // Of a value whose rank must be known, as it is for what was added unless status() is an error;
  // where it is not, status() becomes one.
  std::size_t known_rank(ValueId value);
  // The size of one axis; a number where it is known.
  Size size(ValueId value, std::size_t axis);
  std::optional<std::int64_t> known_size(ValueId value, std::size_t axis);
  // A vector of these sizes, a constant where all are numbers.
  ValueId sizes(std::string_view what, std::span<const Size> sizes);
  ValueId sizes(std::string_view what, std::initializer_list<Size> list) {
    return sizes(what, std::span(list.begin(), list.size()));
  }
  ValueId reshape(std::string_view what, ValueId value, std::vector<Size> target);
  ValueId transpose(std::string_view what, ValueId value, std::vector<std::int64_t> order);
  ValueId cast(std::string_view what, ValueId value, DType dtype);  // itself where it has it
  // Elements [start, end) of one axis; the bounds are vectors of one int64.
  ValueId slice(std::string_view what, ValueId value, std::int64_t axis, ValueId start,
                ValueId end);

  // A size, or all of a value's, where they are numbers.
  std::optional<std::int64_t> number_of(Expr e) const { return model_.exprs.value(e); }
  std::optional<std::vector<std::int64_t>> known_sizes(ValueId id) const;

  // The elements of an integer value where all are known; none for one that is absent.
  std::optional<std::vector<std::int64_t>> numbers(ValueId value) const;
  const Tensor* constant(ValueId value) const { return graph_.constant(value); }
  bool known(Expr e) const { return model_.exprs.value(e).has_value(); }
  bool is_size(Expr e, std::int64_t size) const { return model_.exprs.is(e, size); }

  // A form that cannot be spelled out, where no function of its own returns it.
  void refuse(std::string_view reason) {
    if (status_) status_ = fail_as(ErrorKind::unsupported, "{}", reason);
  }
  // What inference said of the nodes that were added. spell_out() ends with its error.
  Expected<void> status() const { return status_; }

 private:
  Node made(Op op, std::vector<ValueId> inputs, std::vector<Attribute> attributes) const;
  void append(Node node);

  Model& model_;
  Graph& graph_;
  ConstantMaker& constants_;
  const Node& node_;
  SpellContext& context_;
  Expected<void> status_;
};

// Replaces each node of the main graph for which `spell` appends others. `spell` gives true where
// it has done so, and so does spell_out() where there was such a node. An output that the others do
// not compute must not be read.
using SpellOut = std::function<Expected<bool>(Speller& speller)>;
Expected<bool> spell_out(Model& model, const SpellOut& spell, Inference* inference = nullptr);

}  // namespace subbyte
