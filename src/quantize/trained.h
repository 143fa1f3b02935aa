// Which constants are operands that training made: those alone are ever stored narrower than
// float32. Everything else may be a position, an angle, an exponent, a mean, an anchor, of which a
// half keeps too little.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "graph/graph.h"
#include "quantize/assign.h"
#include "quantize/flow.h"

namespace subbyte {

// Of the elements of a constant: their mean, and the mean of their squares.
struct Moments {
  double mean = 0, mean_square = 0;
};

// Whether a node takes elements of its input 0 at places that are constants, as the biases of
// relative positions are taken of their table: no lookup, but a view.
bool takes_known_places(const Graph& graph, const Node& node);

class TrainedOperands {
 public:
  // `moments` is asked for constants that are read beside others: the weights of products, and
  // vectors over channels. `uses` are those of the main graph, `made` the constants that a formula
  // gives, by value (quantize/made_by_rule.h); both stay.
  TrainedOperands(const Model& model, const Uses& uses, const std::vector<bool>& made,
                  std::function<Moments(ValueId constant)> moments);

  // Whether `reader`, a product or a Gather that takes the constant as a matrix, is what it was
  // trained for. The frequencies and the tables of rotary embeddings are read in the same way.
  bool trains_matrix(ValueId constant, NodeId reader) const;

  // What a constant is that no reader takes as a matrix: an operand of a product, a scale, a bias
  // (with about how large the values are that it is added to in `beside`), or other.
  struct TakenFor {
    WeightUseKind kind = WeightUseKind::other;
    double beside = 0;
  };
  TakenFor taken_for(ValueId constant) const;

 private:
  // A product or a normalisation, and what its result was multiplied by since.
  struct Source {
    NodeId node = kNone;
    double factor = 1;
    bool viewed = false;  // its channels may lie along another axis by now
  };

  bool passes_on(const Node& node) const;
  std::optional<TakenFor> view_taken_for(ValueId view, ValueId constant, int depth) const;
  TakenFor taken_for_in(const Node& node, std::size_t input, ValueId constant, bool viewed) const;
  TakenFor operand(const Node& product, std::size_t input) const;
  TakenFor addend(ValueId data, ValueId result, ValueId constant, bool viewed) const;
  TakenFor factor(ValueId data, ValueId result, ValueId constant) const;
  bool is_inside(ValueId result) const;
  // What `value` is but for factors, addends and views; no node where that is neither a product nor
  // a normalisation.
  Source source_of(ValueId value) const;
  ValueId step_back(const Node& node, Source& source) const;
  bool is_normalized(const Node& node) const;
  bool is_deviation(ValueId value) const;
  bool lies_along_channels(const Tensor& vector, const Source& source) const;
  double size_of(const Source& source) const;
  double root_mean_square(ValueId constant) const;
  bool holds_angles(ValueId table, const Node& gather) const;
  bool holds_places(ValueId table, const Node& gather) const;
  bool keeps_digits(ValueId result) const;
  bool multiplies_features(ValueId value) const;
  std::optional<std::int64_t> size_from_last(ValueId value, std::size_t axis) const;
  ValueId constant_behind(ValueId value) const;

  const Model& model_;
  const Graph& graph_;
  const Uses& uses_;
  const std::vector<bool>& made_;
  Flow flow_;
  std::function<Moments(ValueId)> moments_;
};

}  // namespace subbyte
