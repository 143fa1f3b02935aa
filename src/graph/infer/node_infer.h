// What the shape rule of one node sees and does. A rule is a function infer_<family>(NodeInfer&),
// named by the rows of ops.def; it reads inputs, sets outputs, and returns an error where the node
// contradicts itself. Where an input's shape is not known it leaves the outputs without one.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"
#include "graph/infer/broadcast_sizes.h"

namespace subbyte {

using Shape = std::vector<Expr>;
using Content = std::vector<Expr>;

// An exact fraction: an element of a small float tensor that shape arithmetic passes through.
struct Ratio {
  Expr numerator;
  std::int64_t denominator = 1;  // positive
  // A size that it is divided by too, which no other arithmetic follows: the scale of a Resize.
  std::optional<Expr> divisor{};
};
using Ratios = std::vector<Ratio>;

// What inference knows besides the model, for the time that it runs.
struct InferState {
  std::vector<std::optional<Ratios>> ratios;      // by value of the main graph
  std::unordered_set<std::uint32_t> constraints;  // handles of the conditions recorded so far
  // What is known to broadcast, under each guard (UINT32_MAX: always).
  std::map<std::uint32_t, BroadcastSizes> broadcasts;
  // Not 0 where the node at hand runs; none where it always does.
  std::optional<Expr> guard{};
};

class NodeInfer {
 public:
  NodeInfer(Model& model, Graph& graph, NodeId id, InferState& state)
      : exprs(model.exprs),
        node(graph.nodes[id]),
        model_(model),
        graph_(graph),
        id_(id),
        state_(state) {}

  ExprPool& exprs;
  const Node& node;

  const Graph& graph() const { return graph_; }
  bool has(std::size_t i) const { return node.has_input(i); }
  const Value& in(std::size_t i) const { return graph_.values[node.inputs[i]]; }
  // nullptr for an absent input and for what is not known.
  const Shape* shape(std::size_t i) const;
  const Content* content(std::size_t i) const;
  const Ratios* ratios(std::size_t i) const;
  // The content where every element is a constant.
  std::optional<std::vector<std::int64_t>> constants(std::size_t i) const;
  // The elements of an input that says which axes (or how); an error where one is not a constant.
  Expected<std::optional<std::vector<std::int64_t>>> axes(std::size_t i) const;

  bool wants(std::size_t output) const {
    return output < node.outputs.size() && node.outputs[output] != kNone;
  }
  void set(std::size_t output, DType dtype, std::optional<Shape> shape,
           std::optional<Content> content = std::nullopt);
  void set_ratios(std::size_t output, std::optional<Ratios> ratios);

  // The condition must hold when the module runs: an error where it never does, nothing where it
  // always does, else a constraint. `message` is a full sentence without the node.
  Expected<void> require(Expr condition, const std::string& message);
  // A symbol that a run finds out.
  Expr result_symbol(std::string name, std::int64_t lower, std::int64_t upper);
  // The one size that two dimensions must share.
  Expected<Expr> unify(Expr a, Expr b, const std::string& message);
  // The size that two dimensions broadcast to: equal, or one of them 1.
  Expected<Expr> broadcast(Expr a, Expr b, const std::string& message);
  // As many indices as `picked` multiply to pick elements along `axes`: there are some, or no
  // index.
  Expected<void> require_elements(std::span<const Expr> axes, std::span<const Expr> picked);
  // A size read from a tensor: not negative.
  Expected<Expr> size(Expr e, std::string_view what);
  // A size that a kernel of this node counts, called after its first output: `most` at most.
  Expr counted(Expr most);
  // An axis in [0, rank) from one in [-rank, rank).
  Expected<std::size_t> axis(std::int64_t axis, std::size_t rank) const;
  // Axes in the same way, each at most once.
  Expected<std::vector<std::size_t>> axes_of(std::span<const std::int64_t> axes,
                                             std::size_t rank) const;
  // All inputs in [first, last) have one dtype, which is returned; undefined where none is known.
  Expected<DType> same_dtype(std::size_t first, std::size_t last) const;

  Expr one() { return exprs.constant(1); }
  Expr zero() { return exprs.constant(0); }
  std::string text(const Shape& shape) const;  // "[batch, 384]"

 private:
  Model& model_;
  Graph& graph_;
  NodeId id_;
  InferState& state_;
};

// Numpy broadcasting of two shapes.
Expected<Shape> broadcast_shapes(NodeInfer& c, const Shape& a, const Shape& b);
// `from` must broadcast to `to` without changing it.
Expected<void> broadcast_into(NodeInfer& c, const Shape& from, const Shape& to,
                              std::string_view what);

// Dims where each is a constant and the product is at most kMaxContent.
std::optional<std::vector<std::int64_t>> small_dims(const ExprPool& exprs, const Shape& shape);
// Calls visit(index, coordinates) for each element, row-major.
template <typename Visit>
void for_each_element(const std::vector<std::int64_t>& dims, const Visit& visit) {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) {
    if (dim == 0) return;  // the other dims may be of any size then
  }
  for (const std::int64_t dim : dims) count *= dim;
  std::vector<std::int64_t> at(dims.size(), 0);
  for (std::int64_t i = 0; i < count; ++i) {
    visit(i, at);
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      if (++at[axis] < dims[axis]) break;
      at[axis] = 0;
    }
  }
}
// Row-major strides in elements; 0 where a dim is 1, so that a coordinate of a broadcast reads it.
std::vector<std::int64_t> broadcast_strides(const std::vector<std::int64_t>& dims,
                                            std::size_t rank);

// graph/infer/element_content.cc: the content of an element-wise node's output of the given shape.
std::optional<Content> element_content(NodeInfer& c, const Shape& shape);
// graph/infer/ratio_content.cc: the same for nodes that read or write small float tensors: sets
// output 0's ratios, or its content where it is an integer Cast of ratios.
void infer_ratios(NodeInfer& c);

#define RULE(name, typed, shaping, first, others) Expected<void> infer_##name(NodeInfer& c);
#include "graph/families.def"

}  // namespace subbyte
