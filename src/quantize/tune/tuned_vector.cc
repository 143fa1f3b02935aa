#include "quantize/tune/tuned_vector.h"

#include <algorithm>
#include <utility>

#include "quantize/codec.h"
#include "quantize/half.h"

namespace subbyte::tune {

TunedVector::TunedVector(const StoredWeight& stored, const Tensor& start, float unit)
    : encoding_(stored.encoding),
      rows_(stored.rows),
      k_(stored.k),
      layout_(source_layout(stored.order, start.dims)),
      unit_(unit),
      exact_(static_cast<std::size_t>(start.elements())),
      averages_(exact_.size()),
      lost_(exact_.size()),
      numbers_(std::make_shared<std::vector<float>>(exact_.size())) {
  read_floats(start, 0, start.elements(), exact_.data());
  round();
  tensor_ = Tensor{.dtype = DType::float32,
                   .dims = start.dims,
                   .data = std::as_bytes(std::span<const float>(*numbers_)),
                   .owner = numbers_};
}

void TunedVector::round() {
  for (std::size_t i = 0; i < exact_.size(); ++i) {
    (*numbers_)[i] =
        value_bits(encoding_) == 16
            ? half_to_float(float_to_half(std::clamp(exact_[i], -kLargestHalf, kLargestHalf)))
            : exact_[i];
  }
}

void TunedVector::add(const float* gradient) {
  for (std::size_t i = 0; i < lost_.size(); ++i) lost_[i] += gradient[i];
}

void TunedVector::step(const Rates& rates, const Correction& correction) {
  for (std::size_t i = 0; i < exact_.size(); ++i)
    exact_[i] -=
        rates.number * unit_ * adam_step(std::exchange(lost_[i], 0.0f), correction, averages_[i]);
  round();
}

void TunedVector::go_back(const std::vector<float>& moved) {
  exact_ = moved;
  for (Averages& averages : averages_) averages.gradient = 0;
  round();
}

void TunedVector::write(RecordWriter& record) const {
  record.array(exact_);
  record.array(averages_);
}

bool TunedVector::read(RecordReader& record) {
  auto exact = record.array<float>();
  auto averages = record.array<Averages>();
  if (exact.size() != exact_.size() || averages.size() != averages_.size()) return false;
  exact_ = std::move(exact);
  averages_ = std::move(averages);
  round();
  return true;
}

PackedMatrix TunedVector::packed() const {
  std::vector<float> matrix;
  matrix.reserve(exact_.size());
  for (const std::int64_t row : layout_.rows)
    for (const std::int64_t column : layout_.columns)
      matrix.push_back((*numbers_)[static_cast<std::size_t>(row + column)]);
  return pack(matrix, rows_, k_, encoding_, {.threads = 1});
}

}  // namespace subbyte::tune
