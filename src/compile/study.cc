#include "compile/study.h"

#include <algorithm>
#include <utility>

#include "compile/compare_outputs.h"
#include "emit/check.h"
#include "graph/source_form.h"
#include "plan/weight_code.h"

namespace subbyte {
namespace {

constexpr std::size_t kHistograms = 6;

}  // namespace

Expected<void> study_weights(const Model& model, const WeightPlan& plan,
                             std::span<const std::optional<double>> losses, Study& study) {
  study.bytes = stored_bytes(plan);
  std::vector<std::pair<double, std::size_t>> worst;
  for (std::size_t i = 0; i < plan.uses.size(); ++i) {
    const WeightUse& use = plan.uses[i];
    const Value& value = model.main().values[use.value];
    const StoredWeight& stored = plan.stored.at(use.value);
    StudiedWeight weight{.name = source_name(value),
                         .component = std::string(component_name(use.component)),
                         .reason = plan.assignments[i].reason,
                         .layer = use.layer,
                         .bits = value_bits(stored.encoding),
                         .bytes = 0,
                         .parameters = use.parameters(),
                         .sqnr_db = std::nullopt,
                         .loss = i < losses.size() ? losses[i] : std::nullopt};
    for (const WeightPart& part : weight_parts(stored)) weight.bytes += part.bytes;
    study.parameters += weight.parameters;
    if (is_matrix(use.kind)) {
      SUBBYTE_TRY(const Tensor decoded, decoded_weight(model, stored));
      SquaredError error;
      error.add(*value.constant, decoded);
      weight.sqnr_db = error.sqnr_db();
      if (error.error > 0 && error.size > 0 && use.parameters() >= kFewestDrawn)
        worst.emplace_back(*weight.sqnr_db, i);
    }
    study.weights.push_back(std::move(weight));
  }
  std::sort(worst.begin(), worst.end());
  if (worst.size() > kHistograms) worst.resize(kHistograms);
  for (const auto& [sqnr_db, i] : worst) {
    const StudiedWeight& weight = study.weights[i];
    const ValueId value = plan.uses[i].value;
    SUBBYTE_TRY(const Tensor decoded, decoded_weight(model, plan.stored.at(value)));
    auto drawn = draw_weight(weight.name, weight.bits, sqnr_db,
                             *model.main().values[value].constant, decoded);
    if (!drawn.source.empty()) study.histograms.push_back(std::move(drawn));
  }
  return {};
}

}  // namespace subbyte
