// One row of places of window_rows.h, over lanes.
#pragma once

#include <cstdint>
#include <span>

namespace subbyte::calibrate {

// Floats past the end of a row that vectors may read.
inline constexpr std::int64_t kWindowSlack = 16;

// For place x of a row of so many: over the elements t of the window, in order, the sum of
// weights[t] * row[taps[t] + x], the sum of row[taps[t] + x], or the greatest of them.
void window_sum_products(const float* row, std::span<const std::int64_t> taps, const float* weights,
                         std::int64_t places, float* out);
void window_sum(const float* row, std::span<const std::int64_t> taps, std::int64_t places,
                float* out);
void window_greatest(const float* row, std::span<const std::int64_t> taps, std::int64_t places,
                     float* out);

}  // namespace subbyte::calibrate
