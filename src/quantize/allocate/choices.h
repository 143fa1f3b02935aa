// The ways in which each weight can be stored, with their bytes and what rounding loses.
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/weight_plan.h"

namespace subbyte::allocate {

struct Choice {
  Assignment assignment;
  std::int64_t bytes = 0;  // as stored, padding to the next weight counted
  double noise = 0;        // squares of what rounding changes by those of the numbers, on a sample
  double loss = 0;         // of the outputs, once it is known
  bool measured = false;   // by running, not from another choice's loss
};

// Of each use of the plan. Matrices that no rule names: float16 and 8, 4, 3 and 2 bits with the
// group sizes and zero points of encoding_choices(), those that another beats in bytes and noise
// left out; one that arrived quantized as it arrived, and narrower. Of all else what the plan has.
std::vector<std::vector<Choice>> choices_of(const Model& model, const WeightPlan& plan);

}  // namespace subbyte::allocate
