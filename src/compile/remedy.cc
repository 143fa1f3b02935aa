#include "compile/remedy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "compile/check_report.h"

namespace subbyte {

Expected<std::string> remedy_of(const Model& model, const Checker& checker,
                                std::string_view precision, bool calibrated,
                                const std::string& output,
                                const std::function<Expected<void>()>& not_cancelled) {
  constexpr std::string_view kWider[] = {"2bit", "3bit", "4bit", "8bit", "float16"};
  const std::string_view own = precision == "int8"    ? "8bit"
                               : precision == "mixed" ? "4bit"
                                                      : precision;
  const auto* next = std::ranges::find(kWider, own);
  while (next != std::end(kWider) && ++next != std::end(kWider)) {
    const auto policy = policy_from_name(*next);
    SUBBYTE_TRY(const WeightPlan plan, plan_weights(model, *policy));
    auto check = checker.compare(stored_of(plan));
    SUBBYTE_CHECK_OK(not_cancelled());
    if (!check) return tl::unexpected(std::move(check.error()));
    const OutputCheck* const worst = worst_output(*check);
    if (severity(*worst) >= 1) continue;
    const auto same = std::ranges::find(check->outputs, output, &OutputCheck::name);
    return fmt::format("with --precision {} {}, at {} of weights{}", *next, loss_text(*same),
                       bytes_text(stored_bytes(plan)),
                       calibrated ? " (found with weights rounded, not calibrated)" : "");
  }
  return "no precision mends it, --precision float32 leaves it as it is";
}

std::vector<StoredWeight> stored_of(const WeightPlan& plan) {
  std::vector<StoredWeight> stored;
  for (const auto& [value, weight] : plan.stored) stored.push_back(weight);
  return stored;
}

}  // namespace subbyte
