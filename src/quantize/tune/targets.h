// What the float model gives for some samples, which tuning asks for again and again.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "calibrate/executor.h"

namespace subbyte::tune {

// The outputs of one sample of a run that count; nothing of the others.
std::vector<Tensor> counted_outputs(const Graph& graph, const std::vector<bool>& counts,
                                    Execution& run, std::size_t sample);

class Targets {
 public:
  // Of the outputs that count; nothing of the others. `rest`: the node from which the model is run
  // again for each question; 0: the outputs themselves are kept. What is kept takes at most
  // `memory` bytes, or about: of further samples nothing is.
  Targets(const Model& model, std::vector<bool> counts, std::span<const Sample> samples,
          ExecuteOptions options, NodeId rest, std::int64_t memory);

  Expected<std::vector<Tensor>> of(std::size_t sample);

 private:
  struct Kept {
    std::shared_ptr<const Execution::Values> values{};  // before the rest
    std::vector<Tensor> outputs{};
  };
  std::int64_t bytes_of(Execution& run) const;

  const Model& model_;
  std::vector<bool> counts_;
  std::span<const Sample> samples_;
  ExecuteOptions options_;
  NodeId rest_;
  std::int64_t memory_;
  std::vector<std::optional<Kept>> kept_;
};

}  // namespace subbyte::tune
