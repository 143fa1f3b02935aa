#include "cli/weights.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "quantize/uses.h"

namespace subbyte {

namespace {

Precision mixed_precision(Component component) {
  switch (component) {
    case Component::feed_forward:
    case Component::convolution:
      return Precision::bits4;
    case Component::head:
      return Precision::float16;
    default:
      return Precision::bits8;
  }
}

Expected<std::vector<Assignment>> assign(const std::vector<WeightUse>& uses,
                                         const std::string& name) {
  if (const auto precision = precision_from_name(name)) return assign_encodings(uses, *precision);
  if (name != "mixed") return fail("--precision {}: no such precision", quoted(name));
  std::vector<Assignment> assignments;
  for (const WeightUse& use : uses) {
    auto one = assign_encodings(std::span(&use, 1), mixed_precision(use.component));
    assignments.push_back(std::move(one.front()));
  }
  return assignments;
}

}  // namespace

Expected<WeightPlan> plan_weights(const Model& model, const std::string& precision) {
  WeightPlan plan;
  plan.uses = find_weight_uses(model);
  SUBBYTE_TRY(plan.assignments, assign(plan.uses, precision));
  plan.model_type = "other";
  for (std::size_t i = 0; i < plan.uses.size(); ++i) {
    const WeightUse& use = plan.uses[i];
    const Assignment& assignment = plan.assignments[i];
    if (use.component == Component::attention) plan.model_type = "transformer";
    plan.stored.emplace(use.value, StoredWeight{use.value, assignment.encoding, use.rows, use.k,
                                                use.order, row_layout(assignment.encoding, use.k)});
    if (!assignment.reason.empty()) {
      plan.notes.push_back(fmt::format("weight {}: {}", quoted(model.main().values[use.value].name),
                                       assignment.reason));
    }
  }
  return plan;
}

}  // namespace subbyte
