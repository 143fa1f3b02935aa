#include "compile/width_study.h"

#include <algorithm>
#include <map>
#include <utility>

#include "graph/source_form.h"
#include "quantize/allocate/sensitivity.h"
#include "quantize/allocate/variants.h"

namespace subbyte {
namespace {

using namespace allocate;
using Kind = TriedWidths::Kind;

constexpr std::string_view kPrecisions[] = {"float32", "float16", "8bit", "4bit", "3bit", "2bit"};
// Of the bytes between the fewest and the most, where a mix is tried: most changes near the fewest.
constexpr double kMixes[] = {0, 0.04, 0.08, 0.12, 0.18, 0.25, 0.35, 0.5, 0.75, 1};
// Models that are run side by side: each keeps the activations of all samples.
constexpr std::size_t kAtATime = 4;

// What each weight that may have several widths loses at each, in the way that loses least.
std::vector<Sensitivity> sensitivities(const Model& model, const WeightPlan& plan, const Mix& mix) {
  std::vector<Sensitivity> found;
  for (std::size_t i = 0; i < mix.choices.size(); ++i) {
    if (mix.choices[i].size() < 2) continue;
    std::map<int, WidthLoss> best;
    for (const Choice& choice : mix.choices[i]) {
      const int bits = value_bits(choice.assignment.encoding);
      const auto [at, is_new] = best.try_emplace(bits);
      if (is_new || (choice.measured && !at->second.measured) ||
          (choice.measured == at->second.measured && choice.loss < at->second.loss))
        at->second = {bits, choice.bytes, choice.loss, choice.measured};
    }
    Sensitivity one{source_name(model.main().values[plan.uses[i].value]), {}};
    for (const auto& [bits, width] : best) one.widths.push_back(width);
    found.push_back(std::move(one));
  }
  return found;
}

struct Candidate {
  TriedWidths told;
  WeightPlan plan;
};

// The chosen widths in the model that is studied: calibration may have added biases to its own.
WeightPlan with_widths_of(const Model& model, const WeightPlan& plan, const WeightPlan& chosen) {
  WeightPlan same = plan;
  for (std::size_t i = 0; i < plan.uses.size(); ++i)
    if (is_matrix(plan.uses[i].kind)) store_as(model, same, i, chosen.assignments[i]);
  return same;
}

Expected<std::vector<Candidate>> candidates(const Model& model, const WeightPlan& plan,
                                            const WeightPlan& chosen, const Mix& mix) {
  std::vector<Candidate> all;
  for (const std::string_view name : kPrecisions) {
    SUBBYTE_TRY(WeightPlan uniform, plan_weights(model, policy_from_name(name).value()));
    all.push_back({{Kind::precision, std::string(name)}, std::move(uniform)});
  }
  const auto add_mix = [&](Kind kind, std::int64_t bytes) {
    auto mixed = plan_within(model, plan, mix, bytes);
    if (mixed) all.push_back({{kind}, std::move(*mixed)});
  };
  const std::int64_t least = least_bytes(mix), most = most_bytes(mix);
  for (const double share : kMixes)
    add_mix(Kind::mix,
            least + static_cast<std::int64_t>(share * static_cast<double>(most - least)));
  SUBBYTE_TRY(const WeightPlan by_component,
              plan_weights(model, policy_from_name("mixed").value()));
  add_mix(Kind::mixed, stored_bytes(by_component));
  all.push_back({{Kind::chosen}, with_widths_of(model, plan, chosen)});
  for (Candidate& one : all) one.told.bytes = stored_bytes(one.plan);
  return all;
}

void tell(const Check& check, TriedWidths& told) {
  told.error = lost_of(check, LossMeasure::error);
  for (const OutputCheck& output : check.outputs) {
    if (output.loss.flips) told.flips = std::max(told.flips.value_or(0), output.loss.flips->value);
    if (output.loss.kl) told.kl = std::max(told.kl.value_or(0), output.loss.kl->value);
  }
}

}  // namespace

Expected<void> study_widths(const Model& model, const WeightPlan& plan, const WeightPlan& chosen,
                            const std::optional<Mix>& measured, const WidthSurroundings& around,
                            Study& study) {
  study.not_measured = around.reason;
  if (around.samples == nullptr) return {};
  study.not_measured = "it takes more work than the effort allows";
  const SampleSet& samples = *around.samples;
  RoundedWeights rounded(model);
  MeasureOptions options{.effort = around.effort, .checkpoint = around.checkpoint};
  options.running.cancelled = [&] { return around.observer->cancelled(); };
  options.progress = [&](std::size_t done, std::size_t count) {
    around.observer->progress("measuring", done, count);
  };
  std::optional<Mix> mix = measured;
  if (!mix) {
    options.running.kinds = samples.tuning_kinds;
    SUBBYTE_TRY(mix, measure_mix(model, plan, samples.tuning, samples.work_each, rounded, options));
  }
  if (mix->samples == 0) return {};
  SUBBYTE_TRY(auto all, candidates(model, plan, chosen, *mix));
  // Each batch runs the float model once more.
  const std::size_t runs = all.size() + (all.size() + kAtATime - 1) / kAtATime;
  const std::size_t count =
      measured_samples(model, samples.held_out, samples.work_each, 2 * runs, around.effort);
  if (count == 0) return {};
  options.running.kinds = kinds_of(samples.held_out_kinds, count);
  WidthStudy widths{mix->samples, count, sensitivities(model, plan, *mix), {}};
  for (std::size_t begin = 0; begin < all.size(); begin += kAtATime) {
    const std::size_t end = std::min(begin + kAtATime, all.size());
    std::vector<const WeightPlan*> plans;
    for (std::size_t i = begin; i < end; ++i) plans.push_back(&all[i].plan);
    SUBBYTE_TRY(const auto outputs,
                outputs_of(model, plans, std::span(samples.held_out).first(count), rounded,
                           options.running));
    for (std::size_t i = begin; i < end; ++i) {
      tell(check_of(model, outputs, i - begin), all[i].told);
      widths.models.push_back(std::move(all[i].told));
      around.observer->progress("measuring", i + 1, all.size());
    }
  }
  study.widths = std::move(widths);
  return {};
}

}  // namespace subbyte
