// How much work and memory calibration may take (fit_weights.h).
#pragma once

#include <cstdint>

#include "quantize/fit/fit_weights.h"

namespace subbyte::fit {

// Multiplications.
double work_of(Effort effort, const WeightPlan& plan, bool on_data);
// Bytes of the activations of all streams.
std::int64_t memory_beside(const WeightPlan& plan);

// Four streams over the tuning samples, five runs over the others.
inline constexpr double kStreams = 4, kRuns = 5;
// As many streams at a time, or, where samples are many or large, one beside the float model's.
inline constexpr std::int64_t kSideBySide = 4;
// What the activations of the samples of one stream may take, at most and at least.
inline constexpr std::int64_t kMemoryOfStream = std::int64_t{3} << 27,
                              kLeastOfStream = std::int64_t{1} << 26;

}  // namespace subbyte::fit
