// From a precision's name to how each weight of a model is stored.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"
#include "plan/plan.h"
#include "quantize/assign.h"

namespace subbyte {

struct WeightPlan {
  std::vector<WeightUse> uses;
  std::vector<Assignment> assignments;  // one for each use
  std::map<ValueId, StoredWeight> stored;
  std::string model_type;  // transformer, convolutional, or other
  std::vector<std::string> notes;
};

// `precision` is a name of precision_names(), or "mixed": attention 8 bits, feed-forward 4,
// embeddings 8, heads float16, convolutions 4, anything else 8.
Expected<WeightPlan> plan_weights(const Model& model, const std::string& precision,
                                  std::string_view mixed_json);

}  // namespace subbyte
