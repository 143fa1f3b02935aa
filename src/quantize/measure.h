// What must be known of a weight's elements before it is packed, found in one reading of them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/threads.h"
#include "graph/graph.h"
#include "quantize/rows.h"

namespace subbyte {

// What decides whether an encoding can hold a matrix.
struct WeightRange {
  float largest = 0;           // magnitude
  float smallest_nonzero = 0;  // magnitude; 0 where all are 0
  bool all_finite = true;      // the others count finite elements only
  double sum = 0;              // of the elements
  double square_sum = 0;       // of their squares
};

// Rows evenly spread over the matrix, of about 8192 values in all: row-major.
std::vector<float> sample_rows(const RowReader& read, std::int64_t rows, std::int64_t k);

// Measures one float constant a block at a time, so that who reads the same bytes for another
// purpose can do it meanwhile. Blocks are in the order of memory, whatever matrix it is.
class WeightMeter {
 public:
  explicit WeightMeter(Tensor tensor);

  // Rows are sampled too, of the constant as that matrix.
  void sample(AxisOrder order);
  // What else is asked of the elements; on the thread of the last block.
  void examine(std::function<void()> work) { examine_ = std::move(work); }

  std::size_t blocks() const { return parts_.size(); }
  // Where a block lies.
  Bytes bytes_of(std::size_t block) const;
  // Each block once, in any order and on any thread; the last one samples and examines as well,
  // while the bytes are at hand.
  void measure(std::size_t block);

  // After all blocks. Sums do not depend on the order in which they were measured.
  WeightRange range() const;
  std::vector<float> take_sample() { return std::move(sample_); }

 private:
  Tensor tensor_;
  std::vector<WeightRange> parts_;
  std::unique_ptr<std::atomic<std::size_t>> left_;
  std::optional<AxisOrder> order_;
  std::vector<float> sample_;
  std::function<void()> examine_;
};

// Measures all blocks of all meters. An error ends the work that asked for it.
using MeasureWeights = std::function<Expected<void>(std::span<WeightMeter> meters)>;

// Blocks of meters, by the addresses at which they end.
struct MeterBlock {
  WeightMeter* meter;
  std::size_t index;
  Bytes bytes;
};
std::vector<MeterBlock> blocks_by_address(std::span<WeightMeter> meters);

// Bytes that are read at a time, by several threads: so much of a file must fit the memory.
inline constexpr std::size_t kMeasuredAtATime = std::size_t{2} << 20;
// Measures blocks in their order, so many bytes at a time.
void measure_blocks(std::span<const MeterBlock> blocks, ThreadPool& threads);
// All blocks of all meters.
void measure_all(std::span<WeightMeter> meters);

// Of a float tensor alone.
WeightRange measure_weights(const Tensor& tensor, unsigned threads = 0);

}  // namespace subbyte
