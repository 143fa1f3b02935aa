// A matrix of codes while its scales and zero points, and at few bits its codes, are tuned by
// gradients.
#pragma once

#include <memory>
#include <vector>

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
  // `exact`: the float weights, rows x k; nullptr where codes stay as they are.
  TunedMatrix(const PackedMatrix& start, SourceLayout layout, std::vector<std::int64_t> dims,
              const float* exact);

  // The numbers as kernels compute with them, float32 in the order of the source. What is handed
  // out changes with the next step.
  const Tensor& values() const { return tensor_; }
  // `gradient` in the order of the source. Groups whose gradient is 0 stay as they are.
  void step(const float* gradient, const Rates& rates, const Correction& correction,
            calibrate::Machine& machine);
  // As it is stored; what it loses is measured against `exact`.
  PackedMatrix packed(const float* exact) const { return grid_.packed(exact); }

  static std::int64_t bytes_for(std::int64_t rows, std::int64_t k, bool codes);

 private:
  struct Group;  // one while it takes its step
  void decode(std::int64_t row, std::int64_t g);
  void step_group(std::int64_t row, std::int64_t g, const float* gradient, const Rates& rates,
                  const Correction& correction);

  fit::GridMatrix grid_;
  SourceLayout layout_;
  float factor_ = 1;                   // 2^scale_exponent
  std::vector<float> scales_, zeros_;  // before they are rounded
  std::vector<Averages> scale_averages_, zero_averages_;
  std::vector<float> positions_;  // rows x k
  std::vector<Averages> position_averages_;
  std::shared_ptr<std::vector<float>> numbers_;
  Tensor tensor_;
};

}  // namespace subbyte::tune
