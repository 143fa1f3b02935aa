// Sums and functions of rows of numbers that lie one after the other, over lanes. A sum goes over
// 16 lanes: element i to sum i % 16, and these are joined in pairs, 8 apart, 4, 2 and 1.
#pragma once

#include <cstdint>

namespace subbyte::calibrate {

// A NaN among the elements is the greatest and the least.
enum class Fold { sum, sum_of_squares, sum_of_magnitudes, greatest, least };

float reduce_row(Fold fold, const float* x, std::int64_t count);
// The same of each column of rows that lie `stride` apart, one after the other: out[i] over x[i + r
// * stride].
void reduce_columns(Fold fold, const float* x, std::int64_t rows, std::int64_t stride,
                    std::int64_t count, float* out);

// out = e^(x - shift), and their sum.
float exp_row(const float* x, float shift, std::int64_t count, float* out);
// out = x / divisor
void divide_row(const float* x, float divisor, std::int64_t count, float* out);
// out = x - shift
void shift_row(const float* x, float shift, std::int64_t count, float* out);
// The sum of (x - mean)^2.
float deviation_of_row(const float* x, float mean, std::int64_t count);
// out = (x - mean) * factor * scale + bias, element by element; no bias where it is nullptr.
void normalize_row(const float* x, float mean, float factor, const float* scale, const float* bias,
                   std::int64_t count, float* out);

}  // namespace subbyte::calibrate
