// Functions of one and two numbers, over lanes.
#pragma once

#include <cstdint>

namespace subbyte::calibrate {

// As the operators of ONNX of these names.
enum class Unary {
  abs,
  ceil,
  erf,
  exp,
  floor,
  gelu,
  hard_sigmoid,
  hard_swish,
  leaky_relu,
  neg,
  reciprocal,
  relu,
  round,
  sigmoid,
  softsign,
  sqrt,
  tanh,
  thresholded_relu,
};
enum class Binary { add, div, max, min, mul, prelu, sub };

// The attributes of an operator, as reference::UnaryParameters.
struct LaneParameters {
  float alpha = 0, beta = 0;
  bool tanh_approximation = false;
};

void unary_lanes(Unary f, const LaneParameters& parameters, const float* x, std::int64_t count,
                 float* out);
// A step of 0 is one number for all.
void binary_lanes(Binary f, const float* a, std::int64_t a_step, const float* b,
                  std::int64_t b_step, std::int64_t count, float* out);
// min(max(x, low), high); a NaN stays.
void clip_lanes(const float* x, float low, float high, std::int64_t count, float* out);

}  // namespace subbyte::calibrate
