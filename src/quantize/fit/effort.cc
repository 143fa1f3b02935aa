#include "quantize/fit/effort.h"

#include <algorithm>

namespace subbyte {
namespace {

using namespace fit;

// What all streams may take together, with the codes of every variant and the weights as floats, so
// many bytes a parameter.
constexpr std::int64_t kMemory = std::int64_t{9} << 28, kEachParameter = 10;

// The most samples that an effort is worth: fewer see too little of what made inputs differ in,
// more buy little. Made pictures repeat their kinds and ranges after twelve.
struct SampleCounts {
  std::size_t tuning = 0, held_out = 0;
};
SampleCounts most_samples(Effort effort, bool on_data) {
  // Real samples need fewer to decide by: none is of a kind that real inputs are not of.
  const std::size_t part = on_data ? 4 : 2;
  switch (effort) {
    case Effort::fast:
      return {12, on_data ? std::size_t{4} : std::size_t{12}};
    case Effort::good:
      return {96, 96 / part};
    case Effort::best:
      return {192, 192 / part};
  }
  return {};
}

// Choosing the codes of all products.
double choosing_work(const WeightPlan& plan) {
  double work = 0;
  for (const WeightUse& use : plan.uses) {
    if (!is_matrix(use.kind) || use.kind == WeightUseKind::embedding) continue;
    const auto rows = static_cast<double>(use.rows), k = static_cast<double>(use.k);
    work += k * k * (k + rows);
  }
  return work;
}

}  // namespace

// Multiplications: so many, or of large models more by their parameters. A few seconds of one core,
// about a minute for each 20 million parameters, and ten; who gives data wants them used.
double fit::work_of(Effort effort, const WeightPlan& plan, bool on_data) {
  const auto parameters = static_cast<double>(parameters_of(plan));
  const double kEach = on_data ? 4.5e4 : 1.5e4;
  switch (effort) {
    case Effort::fast:
      return 2e10;
    case Effort::good:
      return std::max(3e11, kEach * parameters);
    case Effort::best:
      return std::max(3e12, 10 * kEach * parameters);
  }
  return 0;
}

std::int64_t fit::memory_beside(const WeightPlan& plan) {
  return std::clamp(kMemory - kEachParameter * parameters_of(plan), kSideBySide * kLeastOfStream,
                    kSideBySide * kMemoryOfStream);
}

std::optional<Effort> effort_from_name(std::string_view name) {
  if (name == "fast") return Effort::fast;
  if (name == "good") return Effort::good;
  if (name == "best") return Effort::best;
  return std::nullopt;
}

std::optional<SampleOptions> samples_for(const WeightPlan& plan, Effort effort, bool on_data,
                                         bool reads_text) {
  // Weights that alone take all of that memory are rounded, unless data or the best effort ask for
  // more: so a file of any size converts in little memory.
  const bool is_asked = on_data || effort == Effort::best;
  if (!is_asked && parameters_of(plan) > kMemory / kEachParameter) return std::nullopt;
  const double rest = (reads_text ? 2 : 1) * work_of(effort, plan, on_data) - choosing_work(plan);
  if (rest <= 0) return std::nullopt;
  SampleOptions options;
  options.seed = 2;  // the check has the first
  const auto [tuning, held_out] = most_samples(effort, on_data);
  options.tuning = tuning;
  options.held_out = held_out;
  options.more_of_kinds = effort == Effort::fast ? 2 : 4;
  // Of one run over all samples.
  options.work = rest * static_cast<double>(tuning + held_out) /
                 (kStreams * static_cast<double>(tuning) + kRuns * static_cast<double>(held_out));
  return options;
}

bool may_calibrate_two(const WeightPlan& plan, Effort effort) {
  return work_of(effort, plan, false) <= work_of(effort, WeightPlan(), false);
}

}  // namespace subbyte
