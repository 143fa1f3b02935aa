// Shape inference: dtype and shape of every value, and the elements of shape arithmetic as
// expressions.
#pragma once

#include <memory>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// Sets dtype, shape and, for integer and bool tensors of at most kMaxContent elements computed from
// shapes, constants and small inputs, content. A model that contradicts itself (shapes that do not
// broadcast, axes out of range, ...) is an error that names the node. Relations that can only be
// checked when the module runs are appended to model.constraints, which is cleared first. It runs
// between the rules of passes/canonicalize too, so axes may still be left out or count from the
// end. Runs any number of times; only the main graph is inferred.
Expected<void> infer(Model& model);

// The same node by node, for a pass that appends nodes to the main graph and asks for the shapes of
// what they compute. Made while the graph still has the nodes that it starts with, which say what
// inputs are sizes; next() is called once for each node as it is appended, in order. infer() has to
// run afterwards: what is recorded here of constraints is of nodes on the way.
struct InferState;
class Guards;
class Inference {
 public:
  explicit Inference(Model& model);
  ~Inference();
  // The nodes to come stand for node `original` of those that the graph started with. False where
  // no run reaches that: nothing is known then of what they compute, which may contradict itself.
  bool at(NodeId original);
  Expected<void> next(NodeId node);

 private:
  Model& model_;
  std::unique_ptr<InferState> state_;
  std::unique_ptr<Guards> guards_;
};

// After infer(): an error naming the first node with an output whose shape is not known. Such a
// model computes sizes from data, or from an operator that subbyte does not know.
Expected<void> check_shapes(const Model& model);

inline constexpr std::int64_t kMaxContent = 1024;

}  // namespace subbyte
