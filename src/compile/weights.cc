#include "compile/weights.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "base/threads.h"
#include "quantize/choose_encoding.h"
#include "quantize/mixed.h"
#include "quantize/uses.h"
#include "quantize/widen.h"

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

// Group sizes and zero points as the values ask for.
void measure_encodings(const Model& model, const std::vector<WeightUse>& uses,
                       std::vector<Assignment>& assignments) {
  parallel_for(uses.size(), [&](std::size_t i) {
    auto* const affine = std::get_if<AffineEncoding>(&assignments[i].encoding);
    if (affine == nullptr) return;
    const Tensor& tensor = *model.main().values[uses[i].value].constant;
    *affine = choose_encoding(affine->bits, row_reader(tensor, uses[i].order), uses[i].rows,
                              uses[i].k, uses[i].range.largest);
  });
}

Expected<std::vector<Assignment>> assign(const Model& model, const std::vector<WeightUse>& uses,
                                         const std::string& name, std::string_view mixed_json) {
  const auto asked = precision_from_name(name);
  if (!asked && name != "mixed") return fail("--precision {}: no such precision", quoted(name));
  std::vector<Precision> precisions;
  std::vector<std::string> names;
  for (const WeightUse& use : uses) {
    precisions.push_back(asked ? *asked : mixed_precision(use.component));
    names.push_back(model.main().values[use.value].name);
  }
  std::vector<bool> named(uses.size(), false);
  if (!mixed_json.empty()) {
    SUBBYTE_TRY(named, apply_mixed_precision(mixed_json, uses, names, precisions));
  }
  std::vector<Assignment> assignments = assign_encodings(uses, precisions);
  measure_encodings(model, uses, assignments);
  if (asked) {
    named.flip();
    if (bits_of(*asked) < 8) narrow_others(uses, assignments);
    widen_smallest(uses, *asked, named, assignments);
  }
  return assignments;
}

}  // namespace

Expected<WeightPlan> plan_weights(const Model& model, const std::string& precision,
                                  std::string_view mixed_json) {
  WeightPlan plan;
  plan.uses = find_weight_uses(model);
  SUBBYTE_TRY(plan.assignments, assign(model, plan.uses, precision, mixed_json));
  plan.model_type = "other";
  for (std::size_t i = 0; i < plan.uses.size(); ++i) {
    const WeightUse& use = plan.uses[i];
    const Assignment& assignment = plan.assignments[i];
    if (use.component == Component::attention) plan.model_type = "transformer";
    if (use.component == Component::convolution && plan.model_type == "other") {
      plan.model_type = "convolutional";
    }
    StoredWeight stored{.value = use.value,
                        .encoding = assignment.encoding,
                        .rows = use.rows,
                        .k = use.k,
                        .order = use.order,
                        .layout = row_layout(assignment.encoding, use.k)};
    if (const auto* affine = std::get_if<AffineEncoding>(&assignment.encoding)) {
      stored.search = scale_search(affine->bits, use.kind);
    }
    plan.stored.emplace(use.value, std::move(stored));
    if (!assignment.reason.empty()) {
      plan.notes.push_back(fmt::format("weight {}: {}", quoted(model.main().values[use.value].name),
                                       assignment.reason));
    }
  }
  return plan;
}

}  // namespace subbyte
