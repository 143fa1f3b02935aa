#include "quantize/tune/tuned_matrix.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "quantize/half.h"

namespace subbyte::tune {
namespace {

std::size_t size_of(std::int64_t count) { return static_cast<std::size_t>(count); }

// Half to even, as codes and zero points are rounded.
float nearest(float x) { return std::nearbyint(x); }

float as_half(float x) {
  return half_to_float(float_to_half(std::clamp(x, kSmallestNormalHalf, kLargestHalf)));
}

}  // namespace

TunedMatrix::TunedMatrix(const PackedMatrix& start, SourceLayout layout,
                         std::vector<std::int64_t> dims, const float* exact)
    : grid_(start),
      layout_(std::move(layout)),
      factor_(std::ldexp(1.0f, grid_.encoding.scale_exponent)),
      scales_(grid_.scales),
      zeros_(grid_.zeros),
      scale_averages_(scales_.size()),
      zero_averages_(grid_.encoding.zero_bits > 0 ? zeros_.size() : 0),
      numbers_(std::make_shared<std::vector<float>>(size_of(grid_.rows * grid_.k))) {
  if (exact != nullptr) {
    positions_.resize(grid_.codes.size());
    position_averages_.resize(grid_.codes.size());
  }
  for (std::int64_t r = 0; r < grid_.rows; ++r) {
    for (std::int64_t g = 0; g < grid_.groups; ++g) {
      const std::size_t at = size_of(r * grid_.groups + g);
      const float scale = scales_[at] * factor_;
      for (std::int64_t i = g * grid_.encoding.group; exact != nullptr && i < grid_.group_end(g);
           ++i) {
        const std::size_t e = size_of(r * grid_.k + i);
        const auto code = static_cast<float>(grid_.codes[e]);
        const float position = scale > 0 ? exact[e] / scale + zeros_[at] : code;
        positions_[e] = std::clamp(position, code - 0.49f, code + 0.49f);
      }
      decode(r, g);
    }
  }
  tensor_ = Tensor{.dtype = DType::float32,
                   .dims = std::move(dims),
                   .data = std::as_bytes(std::span<const float>(*numbers_)),
                   .owner = numbers_};
}

std::int64_t TunedMatrix::bytes_for(std::int64_t rows, std::int64_t k, bool codes) {
  // The gradient, the numbers and the codes; the positions and their averages.
  return rows * k * (codes ? 21 : 9);
}

void TunedMatrix::decode(std::int64_t row, std::int64_t g) {
  const std::size_t at = size_of(row * grid_.groups + g);
  const float scale = grid_.scales[at] * factor_, zero = grid_.zeros[at];
  const std::int64_t base = layout_.rows[size_of(row)];
  for (std::int64_t i = g * grid_.encoding.group; i < grid_.group_end(g); ++i)
    (*numbers_)[size_of(base + layout_.columns[size_of(i)])] =
        scale * (static_cast<float>(grid_.codes[size_of(row * grid_.k + i)]) - zero);
}

void TunedMatrix::step_group(std::int64_t row, std::int64_t g, const float* gradient,
                             const Rates& rates, const Correction& correction) {
  const std::size_t at = size_of(row * grid_.groups + g);
  const std::int64_t base = layout_.rows[size_of(row)];
  const std::int64_t begin = g * grid_.encoding.group, end = grid_.group_end(g);
  const float scale = grid_.scales[at] * factor_, zero = grid_.zeros[at];
  const auto most = static_cast<float>((1 << grid_.encoding.bits) - 1);
  float by_scale = 0, by_zero = 0;
  bool any = false;
  for (std::int64_t i = begin; i < end; ++i) {
    const std::size_t e = size_of(row * grid_.k + i);
    const float lost = gradient[base + layout_.columns[size_of(i)]];
    if (lost == 0) continue;
    any = true;
    by_scale += lost * (static_cast<float>(grid_.codes[e]) - zero);
    by_zero -= lost;
    if (positions_.empty()) continue;
    const float step = adam_step(lost * scale, correction, position_averages_[e]);
    positions_[e] = std::clamp(positions_[e] - rates.position * step, -0.49f, most + 0.49f);
    grid_.codes[e] = static_cast<std::uint8_t>(std::clamp(nearest(positions_[e]), 0.0f, most));
  }
  if (!any) return;
  scales_[at] *= 1 - rates.scale * adam_step(by_scale * scale, correction, scale_averages_[at]);
  grid_.scales[at] = as_half(scales_[at]);
  if (grid_.encoding.zero_bits > 0) {
    const float largest =
        static_cast<float>((1 << grid_.encoding.zero_bits) - 1) * grid_.encoding.zero_step;
    zeros_[at] = std::clamp(
        zeros_[at] - rates.zero * adam_step(by_zero * scale, correction, zero_averages_[at]), 0.0f,
        largest);
    grid_.zeros[at] = nearest(zeros_[at] / grid_.encoding.zero_step) * grid_.encoding.zero_step;
  }
  decode(row, g);
}

void TunedMatrix::step(const float* gradient, const Rates& rates, const Correction& correction,
                       calibrate::Machine& machine) {
  constexpr std::int64_t kRows = 16;
  machine.share((grid_.rows + kRows - 1) / kRows, 8 * static_cast<double>(grid_.rows * grid_.k),
                [&](std::int64_t block) {
                  const std::int64_t end = std::min(grid_.rows, (block + 1) * kRows);
                  for (std::int64_t g = 0; g < grid_.groups; ++g)
                    for (std::int64_t r = block * kRows; r < end; ++r)
                      step_group(r, g, gradient, rates, correction);
                });
}

}  // namespace subbyte::tune
