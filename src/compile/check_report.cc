#include "compile/check_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace subbyte {

namespace {

// Found on recognition of text (two models), its detection and orientation, sentence embeddings and
// a detector of objects: below these, the tasks themselves lose little (docs/sizes.md).
constexpr double kRuinousError = 0.3;
constexpr double kRuinousFlips = 0.1, kRuinousKl = 0.25;

std::string percent(double share) {
  if (!std::isfinite(share)) return "infinitely many";
  return share < 0.1 ? fmt::format("{:.2g}", share * 100) : fmt::format("{:.0f}", share * 100);
}

std::string percent_text(const Estimate& estimate) {
  const std::string value = percent(estimate.value);
  const std::string low = percent(estimate.low), high = percent(estimate.high);
  if (low == value && high == value) return value + " %";
  return fmt::format("{} % ({} to {} %)", value, low, high);
}

}  // namespace

double severity(const OutputCheck& output) {
  const OutputLoss& loss = output.loss;
  const double error = loss.relative_l2.value / kRuinousError;
  if (!loss.flips) return error;
  // One decision of a few that changes may have been a near tie: the interval's low end tells.
  const double flips =
      std::min(loss.flips->value / kRuinousFlips, 2 * loss.flips->low / kRuinousFlips);
  const double decided = std::max(flips, loss.kl ? loss.kl->value / kRuinousKl : 0);
  return output.content.says == Says::logits ? std::min(decided, 2 * error) : decided;
}

const OutputCheck* worst_output(const Check& check) {
  const auto worst = std::ranges::max_element(check.outputs, {}, severity);
  return worst == check.outputs.end() ? nullptr : &*worst;
}

std::string loss_text(const OutputCheck& output) {
  if (output.loss.flips)
    return fmt::format("{} of its decisions change", percent_text(*output.loss.flips));
  return fmt::format("it is off by {}", percent_text(output.loss.relative_l2));
}

std::string loss_detail(const OutputCheck& output) {
  const OutputLoss& loss = output.loss;
  std::string text = fmt::format("output {}: relative L2 error {:.3g}", quoted(output.name),
                                 loss.relative_l2.value);
  if (loss.flips) text += fmt::format(", flips {:.3g}", loss.flips->value);
  if (loss.kl) text += fmt::format(", divergence {:.3g}", loss.kl->value);
  return text;
}

std::string kept_name(FitReport::Kept kept) {
  switch (kept) {
    case FitReport::Kept::biases:
      return "biases";
    case FitReport::Kept::codes:
      return "codes";
    case FitReport::Kept::codes_and_biases:
      return "codes_and_biases";
    default:
      return "nothing";
  }
}

std::string calibration_text(const FitReport& report) {
  if (!report.tried_biases) {
    return fmt::format(
        "calibration: error of the outputs on held-out inputs {:.4g} % rounded, {:.4g} % with "
        "codes chosen; kept: {}",
        report.rounded * 100, report.codes * 100, kept_name(report.kept));
  }
  return fmt::format(
      "calibration: error of the outputs on held-out inputs {:.4g} % rounded, {:.4g} % with "
      "biases corrected, {:.4g} % with codes chosen, {:.4g} % with both; kept: {}",
      report.rounded * 100, report.biases * 100, report.codes * 100, report.codes_and_biases * 100,
      report.kept == FitReport::Kept::codes_and_biases ? "codes and biases"
                                                       : kept_name(report.kept));
}

std::string tuning_text(const TuningReport& report) {
  if (!report.skipped.empty()) return fmt::format("not tuned end to end: {}", report.skipped);
  return fmt::format(
      "tuning end to end: error of the outputs on held-out inputs {:.4g} % before, {:.4g} % after "
      "{} steps",
      report.before * 100, report.after * 100, report.steps);
}

std::string check_text(const Check& check) {
  if (!check.skipped.empty()) return fmt::format("accuracy was not checked: {}", check.skipped);
  const OutputCheck* const worst = worst_output(check);
  if (worst == nullptr) return "there are no outputs to check";
  const std::string decided = worst->loss.flips ? fmt::format(", {} of its decisions change",
                                                              percent_text(*worst->loss.flips))
                                                : "";
  return fmt::format("checked on {} samples ({}): output {} is off by {}{}", check.samples,
                     check.made_of, quoted(worst->name), percent_text(worst->loss.relative_l2),
                     decided);
}

}  // namespace subbyte
