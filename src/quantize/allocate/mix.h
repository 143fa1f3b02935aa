// Widths of weights chosen for a number of bytes, by what each was measured to lose.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "quantize/allocate/choices.h"
#include "quantize/allocate/sensitivity.h"

namespace subbyte::allocate {

struct Mix {
  std::vector<std::vector<Choice>> choices;  // for each use of the plan, by bytes
  std::size_t samples = 0;                   // that losses were measured on; 0: none were
};

// Losses are measured of each free weight at 4, 3 and 2 bits, or at 3 where the effort allows no
// more, and scaled by the noise of rounding for its other choices. Where nothing can be measured
// (no samples, or too much work) they are the noise itself: as if all weights mattered alike.
// options.running.kinds are those of all samples.
Expected<Mix> measure_mix(const Model& model, const WeightPlan& plan,
                          std::span<const Sample> samples, double work_each,
                          RoundedWeights& rounded, const MeasureOptions& options);

// Bytes of all weights with the smallest choices, and with the largest.
std::int64_t least_bytes(const Mix& mix);
std::int64_t most_bytes(const Mix& mix);

// The plan with the choices that lose least in at most `bytes` for all weights (knapsack.h);
// nullopt where that is less than least_bytes().
std::optional<WeightPlan> plan_within(const Model& model, const WeightPlan& plan, const Mix& mix,
                                      std::int64_t bytes);

// What the choice that a plan has for a use is thought to lose; nullopt where it is none of them,
// or the use has one alone.
std::optional<double> loss_of(const Mix& mix, const WeightPlan& plan, std::size_t use);

}  // namespace subbyte::allocate
