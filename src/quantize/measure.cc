#include "quantize/measure.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
namespace subbyte {
namespace {

constexpr std::int64_t kBlock = std::int64_t{1} << 16;  // elements

WeightRange range_of(std::span<const float> values) {
  WeightRange range;
  for (const float value : values) {
    const float magnitude = std::fabs(value);
    if (!std::isfinite(value)) {
      range.all_finite = false;
    } else if (magnitude > 0) {
      range.sum += value;
      range.square_sum += static_cast<double>(value) * value;
      range.largest = std::max(range.largest, magnitude);
      if (range.smallest_nonzero == 0 || magnitude < range.smallest_nonzero) {
        range.smallest_nonzero = magnitude;
      }
    }
  }
  return range;
}

}  // namespace

std::vector<float> sample_rows(const RowReader& read, std::int64_t rows, std::int64_t k) {
  constexpr std::int64_t kValues = 8192;
  if (rows <= 0 || k <= 0) return {};
  const std::int64_t count = std::clamp<std::int64_t>(kValues / k, 1, rows);
  std::vector<float> values(static_cast<std::size_t>(count * k));
  for (std::int64_t i = 0; i < count; ++i) {
    read(i * (rows / count), 1, values.data() + i * k);
  }
  return values;
}

WeightMeter::WeightMeter(Tensor tensor)
    : tensor_(std::move(tensor)),
      parts_(static_cast<std::size_t>((tensor_.elements() + kBlock - 1) / kBlock)),
      left_(std::make_unique<std::atomic<std::size_t>>(parts_.size())) {}

void WeightMeter::sample(AxisOrder order) { order_ = std::move(order); }

Bytes WeightMeter::bytes_of(std::size_t block) const {
  const std::size_t whole = static_cast<std::size_t>(kBlock) * dtype_size(tensor_.dtype);
  return tensor_.data.subspan(block * whole, std::min(whole, tensor_.data.size() - block * whole));
}

void WeightMeter::measure(std::size_t block) {
  const std::int64_t first = static_cast<std::int64_t>(block) * kBlock;
  std::vector<float> values(static_cast<std::size_t>(std::min(kBlock, tensor_.elements() - first)));
  read_floats(tensor_, first, static_cast<std::int64_t>(values.size()), values.data());
  parts_[block] = range_of(values);
  if (left_->fetch_sub(1) != 1) return;
  if (order_) {
    const MatrixSize size = matrix_size(tensor_.dims, *order_);
    sample_ = sample_rows(row_reader(tensor_, *order_), size.rows, size.k);
  }
  if (examine_) examine_();
}

WeightRange WeightMeter::range() const {
  WeightRange all;
  for (const WeightRange& part : parts_) {
    all.all_finite = all.all_finite && part.all_finite;
    all.largest = std::max(all.largest, part.largest);
    all.sum += part.sum;
    all.square_sum += part.square_sum;
    if (part.smallest_nonzero > 0 &&
        (all.smallest_nonzero == 0 || part.smallest_nonzero < all.smallest_nonzero)) {
      all.smallest_nonzero = part.smallest_nonzero;
    }
  }
  return all;
}

std::vector<MeterBlock> blocks_by_address(std::span<WeightMeter> meters) {
  std::vector<MeterBlock> blocks;
  for (WeightMeter& meter : meters) {
    for (std::size_t b = 0; b < meter.blocks(); ++b)
      blocks.push_back({&meter, b, meter.bytes_of(b)});
  }
  std::ranges::stable_sort(blocks, std::less<>(), [](const MeterBlock& block) {
    return block.bytes.data() + block.bytes.size();
  });
  return blocks;
}

void measure_blocks(std::span<const MeterBlock> blocks, ThreadPool& threads) {
  for (std::size_t first = 0; first < blocks.size();) {
    std::size_t last = first, bytes = 0;
    while (last < blocks.size() && bytes < kMeasuredAtATime) bytes += blocks[last++].bytes.size();
    threads.run(last - first, [&](std::size_t i) {
      const MeterBlock& block = blocks[first + i];
      block.meter->measure(block.index);
    });
    first = last;
  }
}

void measure_all(std::span<WeightMeter> meters) {
  ThreadPool threads;
  measure_blocks(blocks_by_address(meters), threads);
}

WeightRange measure_weights(const Tensor& tensor, unsigned threads) {
  WeightMeter meter(tensor);
  parallel_for(
      meter.blocks(), [&](std::size_t b) { meter.measure(b); }, threads);
  return meter.range();
}

}  // namespace subbyte
