// The plan as the JSON of docs/plan.md.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "plan/plan.h"

namespace subbyte {

// A stored part of a weight within a file of weights.
struct PartPlace {
  std::uint32_t file = 0;
  std::int64_t offset = 0;
};

// Where each weight of the plan begins: its parts follow one another as weight_parts() of
// weight_code.h says, all in one file.
using WeightPlaces = std::vector<PartPlace>;

// All of the plan but "files".
nlohmann::ordered_json plan_json(const Model& model, const Plan& plan, const WeightPlaces& places);

// What users see of a dimension: a number, or the text of its expression.
nlohmann::ordered_json dims_json(const Model& model, const std::vector<Expr>& shape);

}  // namespace subbyte
