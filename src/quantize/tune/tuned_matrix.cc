#include "quantize/tune/tuned_matrix.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

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
                         std::vector<std::int64_t> dims, Form form, const float* exact)
    : grid_(start),
      layout_(std::move(layout)),
      dims_(std::move(dims)),
      factor_(std::ldexp(1.0f, grid_.encoding.scale_exponent)),
      scales_(grid_.scales),
      zeros_(grid_.zeros),
      scale_averages_(scales_.size()),
      zero_averages_(grid_.encoding.zero_bits > 0 ? zeros_.size() : 0),
      by_scales_(scales_.size()),
      by_zeros_(scales_.size()) {
  if (form == Form::codes) {
    positions_.resize(grid_.codes.size());
    position_averages_.resize(grid_.codes.size());
    lost_.resize(grid_.codes.size());
  }
  if (form != Form::packed)
    numbers_ = std::make_shared<std::vector<float>>(size_of(grid_.rows * grid_.k));
  for (std::int64_t r = 0; r < grid_.rows; ++r) {
    for (std::int64_t g = 0; g < grid_.groups; ++g) {
      const std::size_t at = size_of(r * grid_.groups + g);
      const float scale = scales_[at] * factor_;
      for (std::int64_t i = g * grid_.encoding.group; form == Form::codes && i < grid_.group_end(g);
           ++i) {
        const std::size_t e = size_of(r * grid_.k + i);
        const auto code = static_cast<float>(grid_.codes[e]);
        const float position = scale > 0 ? exact[e] / scale + zeros_[at] : code;
        positions_[e] = std::clamp(position, code - 0.49f, code + 0.49f);
      }
      if (numbers_) decode(r, g, numbers_->data());
    }
  }
}

std::int64_t TunedMatrix::bytes_for(const AffineEncoding& encoding, std::int64_t rows,
                                    std::int64_t k, Form form) {
  // A code; the number; its gradient, its position and the averages of that.
  const std::int64_t each = form == Form::packed ? 1 : form == Form::numbers ? 5 : 21;
  // Scale and zero point, as they are and as they are rounded, their gradients and averages.
  constexpr std::int64_t kGroup = 40;
  return rows * (k * each + groups_in_row(encoding, k) * kGroup);
}

template <typename Work>
void TunedMatrix::for_groups(calibrate::Machine& machine, const Work& work) const {
  constexpr std::int64_t kRows = 16;
  machine.share((grid_.rows + kRows - 1) / kRows, 8 * static_cast<double>(grid_.rows * grid_.k),
                [&](std::int64_t block) {
                  const std::int64_t end = std::min(grid_.rows, (block + 1) * kRows);
                  for (std::int64_t g = 0; g < grid_.groups; ++g)
                    for (std::int64_t r = block * kRows; r < end; ++r) work(r, g);
                });
}

void TunedMatrix::decode(std::int64_t row, std::int64_t g, float* numbers) const {
  const std::size_t at = size_of(row * grid_.groups + g);
  const float scale = grid_.scales[at] * factor_, zero = grid_.zeros[at];
  const std::int64_t base = layout_.rows[size_of(row)];
  for (std::int64_t i = g * grid_.encoding.group; i < grid_.group_end(g); ++i)
    numbers[base + layout_.columns[size_of(i)]] =
        scale * (static_cast<float>(grid_.codes[size_of(row * grid_.k + i)]) - zero);
}

Tensor TunedMatrix::values(calibrate::Machine& machine) const {
  auto numbers = numbers_;
  if (numbers == nullptr) {
    numbers = std::make_shared<std::vector<float>>(size_of(grid_.rows * grid_.k));
    for_groups(machine, [&](std::int64_t r, std::int64_t g) { decode(r, g, numbers->data()); });
  }
  return {.dtype = DType::float32,
          .dims = dims_,
          .data = std::as_bytes(std::span<const float>(*numbers)),
          .owner = numbers};
}

void TunedMatrix::add_group(std::int64_t row, std::int64_t g, const float* gradient) {
  const std::size_t at = size_of(row * grid_.groups + g);
  const std::int64_t base = layout_.rows[size_of(row)];
  const float zero = grid_.zeros[at];
  float by_scale = 0, by_zero = 0;
  for (std::int64_t i = g * grid_.encoding.group; i < grid_.group_end(g); ++i) {
    const std::size_t e = size_of(row * grid_.k + i);
    const float lost = gradient[base + layout_.columns[size_of(i)]];
    by_scale += lost * (static_cast<float>(grid_.codes[e]) - zero);
    by_zero -= lost;
    if (!lost_.empty()) lost_[e] += lost;
  }
  by_scales_[at] += by_scale;
  by_zeros_[at] += by_zero;
}

void TunedMatrix::add(const float* gradient, calibrate::Machine& machine) {
  for_groups(machine, [&](std::int64_t r, std::int64_t g) { add_group(r, g, gradient); });
}

void TunedMatrix::move_codes(std::int64_t row, std::int64_t g, const Rates& rates,
                             const Correction& correction) {
  const float scale = grid_.scales[size_of(row * grid_.groups + g)] * factor_;
  const auto most = static_cast<float>((1 << grid_.encoding.bits) - 1);
  for (std::int64_t i = g * grid_.encoding.group; i < grid_.group_end(g); ++i) {
    const std::size_t e = size_of(row * grid_.k + i);
    if (lost_[e] == 0) continue;
    const float step = adam_step(lost_[e] * scale, correction, position_averages_[e]);
    lost_[e] = 0;
    positions_[e] = std::clamp(positions_[e] - rates.position * step, -0.49f, most + 0.49f);
    grid_.codes[e] = static_cast<std::uint8_t>(std::clamp(nearest(positions_[e]), 0.0f, most));
  }
}

void TunedMatrix::step_group(std::int64_t row, std::int64_t g, const Rates& rates,
                             const Correction& correction) {
  const std::size_t at = size_of(row * grid_.groups + g);
  const float scale = grid_.scales[at] * factor_;
  const float by_scale = std::exchange(by_scales_[at], 0.0f);
  const float by_zero = std::exchange(by_zeros_[at], 0.0f);
  if (!positions_.empty()) move_codes(row, g, rates, correction);
  const bool seen = by_scale != 0 || by_zero != 0;
  if (!seen && positions_.empty()) return;
  if (seen) {
    scales_[at] *= 1 - rates.scale * adam_step(by_scale * scale, correction, scale_averages_[at]);
    if (grid_.encoding.zero_bits > 0) {
      const float largest =
          static_cast<float>((1 << grid_.encoding.zero_bits) - 1) * grid_.encoding.zero_step;
      zeros_[at] = std::clamp(
          zeros_[at] - rates.zero * adam_step(by_zero * scale, correction, zero_averages_[at]),
          0.0f, largest);
    }
    round(at);
  }
  if (numbers_) decode(row, g, numbers_->data());
}

// As they are stored.
void TunedMatrix::round(std::size_t group) {
  grid_.scales[group] = as_half(scales_[group]);
  if (grid_.encoding.zero_bits > 0)
    grid_.zeros[group] =
        nearest(zeros_[group] / grid_.encoding.zero_step) * grid_.encoding.zero_step;
}

void TunedMatrix::go_back(const Moved& moved) {
  scales_ = moved.scales;
  zeros_ = moved.zeros;
  for (Averages& averages : scale_averages_) averages.gradient = 0;
  for (Averages& averages : zero_averages_) averages.gradient = 0;
  for (std::int64_t r = 0; r < grid_.rows; ++r)
    for (std::int64_t g = 0; g < grid_.groups; ++g) {
      round(size_of(r * grid_.groups + g));
      if (numbers_) decode(r, g, numbers_->data());
    }
}

void TunedMatrix::write(RecordWriter& record) const {
  if (!positions_.empty()) record.array(grid_.codes);
  for (const auto* numbers : {&grid_.scales, &grid_.zeros, &scales_, &zeros_, &positions_})
    record.array(*numbers);
  for (const auto* averages : {&scale_averages_, &zero_averages_, &position_averages_})
    record.array(*averages);
}

bool TunedMatrix::read(RecordReader& record, calibrate::Machine& machine) {
  bool fits = true;
  const auto read_into = [&](auto& array) {
    using Array = std::remove_reference_t<decltype(array)>;
    auto read = record.array<typename Array::value_type>();
    fits = fits && read.size() == array.size();
    array = std::move(read);
  };
  if (!positions_.empty()) read_into(grid_.codes);
  for (auto* numbers : {&grid_.scales, &grid_.zeros, &scales_, &zeros_, &positions_})
    read_into(*numbers);
  for (auto* averages : {&scale_averages_, &zero_averages_, &position_averages_})
    read_into(*averages);
  if (!fits || !numbers_) return fits;
  numbers_ = std::make_shared<std::vector<float>>(numbers_->size());
  for_groups(machine, [&](std::int64_t r, std::int64_t g) { decode(r, g, numbers_->data()); });
  return true;
}

void TunedMatrix::step(const Rates& rates, const Correction& correction,
                       calibrate::Machine& machine) {
  for_groups(machine, [&](std::int64_t r, std::int64_t g) { step_group(r, g, rates, correction); });
}

}  // namespace subbyte::tune
