// The turns of a Loop or Scan (graph/loops.h) on one sample, as what runs a graph node by node
// takes them.
#pragma once

#include "graph/loops.h"
#include "reference/call.h"

namespace subbyte::reference {

class Turns {
 public:
  // What the inputs of an Enter say. An operand that does not fit is an error.
  static Expected<Turns> begin(const Node& enter, Inputs inputs);

  // Whether there is a turn under way.
  bool runs() const { return runs_; }
  // The outputs of the Enter in the turn under way.
  std::vector<Tensor> given() const;
  // The inputs of the Leave, computed in the turn under way: it ends, and the next begins if there
  // is one.
  Expected<void> next(const Node& leave, Inputs inputs);
  // The outputs of the Leave, after the last turn; those stacked of no turns have the dims of
  // `like` behind a first of 0.
  Expected<std::vector<Tensor>> outputs(const Model& model, const Node& leave) const;

 private:
  std::int64_t turn_ = 0, most_ = 0;
  bool runs_ = false;
  std::vector<Tensor> states_;
  std::vector<std::vector<Tensor>> stacked_;
};

}  // namespace subbyte::reference
