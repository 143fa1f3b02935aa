// A matrix of codes while its scales and zero points, and at few bits its codes, are tuned by
// gradients.
#pragma once

#include <memory>
#include <vector>

#include "base/byte_record.h"
#include "calibrate/machine.h"
#include "quantize/fit/grid_matrix.h"
#include "quantize/tune/adam.h"
#include "quantize/tune/source_layout.h"

namespace subbyte::tune {

// Element [r, i] is s (q - z), s the scale as it is rounded to a half, z the zero point as it is
// rounded to what can be stored. Both roundings, and that of q, count as none for gradients (the
// straight-through estimator: Bengio, Leonard, Courville 2013; of scales, Esser et al.: Learned
// Step Size Quantization, 2020). q is the code as chosen, or the rounded position u of the weight
// on its grid, which begins where the float weight lies, as near as its code allows.
class TunedMatrix {
 public:
  // How it is held: codes that are tuned are with the numbers; where memory is short the numbers
  // are made each time they are asked for, and codes stay.
  enum class Form : std::uint8_t { codes, numbers, packed };

  // `exact`: the float weights, rows x k, of Form::codes.
  TunedMatrix(const PackedMatrix& start, SourceLayout layout, std::vector<std::int64_t> dims,
              Form form, const float* exact = nullptr);

  // The numbers as kernels compute with them, float32 in the order of the source. Unless they are
  // made anew, what is handed out changes with the next step.
  Tensor values(calibrate::Machine& machine) const;
  // Adds to what the next step goes by, `gradient` in the order of the source.
  void add(const float* gradient, calibrate::Machine& machine);
  // Groups whose gradient is 0 stay as they are.
  void step(const Rates& rates, const Correction& correction, calibrate::Machine& machine);
  // What steps have moved, of a matrix whose codes stay; going back to it forgets where the steps
  // since then went.
  struct Moved {
    std::vector<float> scales{}, zeros{};
  };
  Moved moved() const { return {scales_, zeros_}; }
  void go_back(const Moved& moved);
  bool may_go_back(const Moved& moved) const {
    return moved.scales.size() == scales_.size() && moved.zeros.size() == zeros_.size();
  }

  // Where it is between two steps; reading that goes on from there. False where it is of another.
  void write(RecordWriter& record) const;
  bool read(RecordReader& record, calibrate::Machine& machine);

  // As it is stored; what it loses is measured against `exact`.
  PackedMatrix packed(const float* exact) const { return grid_.packed(exact); }

  static std::int64_t bytes_for(const AffineEncoding& encoding, std::int64_t rows, std::int64_t k,
                                Form form);

 private:
  void decode(std::int64_t row, std::int64_t g, float* numbers) const;
  void add_group(std::int64_t row, std::int64_t g, const float* gradient);
  void round(std::size_t group);
  void move_codes(std::int64_t row, std::int64_t g, const Rates& rates,
                  const Correction& correction);
  void step_group(std::int64_t row, std::int64_t g, const Rates& rates,
                  const Correction& correction);
  // work(row, group) for all of them, shared among the threads.
  template <typename Work>
  void for_groups(calibrate::Machine& machine, const Work& work) const;

  fit::GridMatrix grid_;
  SourceLayout layout_;
  std::vector<std::int64_t> dims_;
  float factor_ = 1;                   // 2^scale_exponent
  std::vector<float> scales_, zeros_;  // before they are rounded
  std::vector<Averages> scale_averages_, zero_averages_;
  std::vector<float> lost_;                  // of elements, rows x k, where codes are tuned
  std::vector<float> by_scales_, by_zeros_;  // of groups
  std::vector<float> positions_;             // rows x k
  std::vector<Averages> position_averages_;
  std::shared_ptr<std::vector<float>> numbers_;
  Tensor tensor_;
};

}  // namespace subbyte::tune
