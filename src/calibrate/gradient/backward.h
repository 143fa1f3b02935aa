// From what a loss changes by with the outputs of a model to what it changes by with its constants.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "calibrate/executor.h"
#include "calibrate/machine.h"

namespace subbyte::calibrate {

// The gradient of each of some constants, summed over samples, in the order of its elements.
using ConstantGradients = std::map<ValueId, std::vector<float>>;

class Backward {
 public:
  // How a loss over some outputs (by their index) depends on constants of the main graph. A node on
  // the way whose gradient is not known is an error that names it.
  static Expected<Backward> find(const Model& model, const std::set<ValueId>& constants,
                                 const std::vector<bool>& outputs);

  // Those of the constants that the loss depends on.
  const std::set<ValueId>& constants() const { return constants_; }

  // Of a run with keeps_values that is done; `lost[sample][output]` are as many numbers as the
  // output has elements, none where the loss does not depend on it. Adds to `into`, which has an
  // entry of its size for each of constants(). What the run kept is gone afterwards.
  Expected<void> run(Execution& done, std::size_t samples,
                     const std::vector<std::vector<std::vector<float>>>& lost,
                     ConstantGradients& into, Machine& machine) const;

 private:
  explicit Backward(const Model& model) : model_(model), graph_(model.main()) {}

  const Model& model_;
  const Graph& graph_;
  std::set<ValueId> constants_;
  std::vector<bool> depends_, counts_;  // values that depend on the constants, and nodes on the way
};

}  // namespace subbyte::calibrate
