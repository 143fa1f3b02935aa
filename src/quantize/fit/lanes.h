// The loops along k that choosing codes spends its time in: the same bits on every machine, as in
// calibrate/targets.h.
#pragma once

#include <cstdint>

namespace subbyte::fit {

// Rows that add_multiples() takes at a time.
inline constexpr std::int64_t kRowsTogether = 8;

// y[i] += a * x[i] for i below count.
void add_multiple(float a, const float* x, std::int64_t count, float* y);

// y[r * stride + i] += a[r] * x[i] for each of kRowsTogether rows r and i below count.
void add_multiples(const float* a, const float* x, std::int64_t count, float* y,
                   std::int64_t stride);

// The sum of x[i] * y[i], partial sums being those of i % 16.
float dot(const float* x, const float* y, std::int64_t count);

}  // namespace subbyte::fit
