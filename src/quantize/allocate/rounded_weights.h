// Weights as they are stored before anything is chosen by running, decoded, each packed once.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"
#include "quantize/codec.h"
#include "quantize/stored_weight.h"

namespace subbyte::allocate {

class RoundedWeights {
 public:
  explicit RoundedWeights(const Model& model) : model_(model) {}

  // The numbers of a weight in the shape of the source; nullopt where they are the source's own.
  Expected<std::optional<Tensor>> find(const StoredWeight& stored);

 private:
  const Model& model_;
  // Of each weight, by encoding.
  std::map<ValueId, std::vector<std::pair<Encoding, std::shared_ptr<const PackedMatrix>>>> packed_;
};

}  // namespace subbyte::allocate
