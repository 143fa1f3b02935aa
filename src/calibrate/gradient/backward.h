// From what a loss changes by with the outputs of a model to what it changes by with its constants.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "calibrate/executor.h"
#include "calibrate/machine.h"

namespace subbyte::calibrate {

// The gradient of each of some constants, summed over samples, in the order of its elements.
using ConstantGradients = std::map<ValueId, std::vector<float>>;
// What a loss changes by with the outputs, by sample and output: as many numbers as the output has
// elements, none where the loss does not depend on it.
using LostOutputs = std::vector<std::vector<std::vector<float>>>;

class Backward {
 public:
  // How a loss over some outputs (by their index) depends on constants of the main graph. A node on
  // the way whose gradient is not known is an error that names it.
  static Expected<Backward> find(const Model& model, const std::set<ValueId>& constants,
                                 const std::vector<bool>& outputs);

  // Those of the constants that the loss depends on.
  const std::set<ValueId>& constants() const { return constants_; }

  // The first and the last node on the way that read each of them.
  struct Readers {
    NodeId first = 0, last = 0;
  };
  const std::map<ValueId, Readers>& readers() const { return readers_; }

  // The way back over the nodes of a graph, from the last to the first, one part after the other.
  class Pass {
   public:
    Pass(const Backward& way, const LostOutputs& lost, Machine& machine);
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    ~Pass();
    // Nodes [first, end) of a run with keeps_values that has computed those; all after them were
    // gone over. Adds to `into`, which has an entry of its size for each of the constants() that
    // these nodes read. What they gave is gone afterwards.
    Expected<void> run(Execution& done, NodeId first, NodeId end, ConstantGradients& into);

   private:
    class Lost;
    Expected<void> run_node(Execution& done, NodeId id, std::size_t sample,
                            ConstantGradients& into);

    const Backward& way_;
    std::size_t samples_;
    Machine& machine_;
    std::unique_ptr<Lost> lost_;
  };

  // All of it, of a run that is done, into an entry for each of constants().
  Expected<void> run(Execution& done, const LostOutputs& lost, ConstantGradients& into,
                     Machine& machine) const;

 private:
  explicit Backward(const Model& model) : model_(model), graph_(model.main()) {}

  const Model& model_;
  const Graph& graph_;
  std::set<ValueId> constants_;
  std::map<ValueId, Readers> readers_;
  std::vector<bool> depends_, counts_;  // values that depend on the constants, and nodes on the way
};

}  // namespace subbyte::calibrate
