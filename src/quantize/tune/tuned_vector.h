// Numbers that are stored as floats (norms, biases) while they are tuned by gradients.
#pragma once

#include <memory>
#include <vector>

#include "base/byte_record.h"
#include "quantize/stored_weight.h"
#include "quantize/tune/adam.h"
#include "quantize/tune/source_layout.h"

namespace subbyte::tune {

class TunedVector {
 public:
  // `start` in the order of the source, float32. `unit`: what they are beside, about.
  TunedVector(const StoredWeight& stored, const Tensor& start, float unit);

  const Tensor& values() const { return tensor_; }
  // Adds to what the next step goes by.
  void add(const float* gradient);
  void step(const Rates& rates, const Correction& correction);
  // As TunedMatrix has it.
  const std::vector<float>& moved() const { return exact_; }
  void go_back(const std::vector<float>& moved);
  void write(RecordWriter& record) const;
  bool read(RecordReader& record);
  PackedMatrix packed() const;

 private:
  void round();

  Encoding encoding_;
  std::int64_t rows_, k_;
  SourceLayout layout_;
  float unit_;
  std::vector<float> exact_;  // before they are rounded
  std::vector<Averages> averages_;
  std::vector<float> lost_;
  std::shared_ptr<std::vector<float>> numbers_;
  Tensor tensor_;
};

}  // namespace subbyte::tune
