// Which weights stay wider than asked, inside what a precision promises, by what they were measured
// to lose.
#pragma once

#include "quantize/allocate/sensitivity.h"
#include "samples/made_samples.h"

namespace subbyte::allocate {

struct WidenReport {
  std::size_t samples = 0;  // that losses were measured on; 0: nothing was measured
  // Of the outputs on held-out samples, with the smallest kept wider and with those that lose most
  // for their bytes.
  double smallest = 0, measured = 0;
  bool changed = false;
};

// Of a plan for 4, 3 or 2 bits, in which widen_smallest() keeps the smallest wider: those that gain
// most in place of them, in at most as many bytes and with what is promised, where the outputs on
// held-out samples lose less so. At 8 bits, where any wider form takes more bytes: those that gain
// most as float16, for what others save with groups of 64. Losses are measured twice, with the
// means taken back by biases and with them left as rounding leaves them: on inputs that are not
// like those measured on a bias takes back part of them. The better choice of the two is judged
// beside the smallest.
Expected<WidenReport> widen_measured(const Model& model, WeightPlan& plan, Precision precision,
                                     const SampleSet& samples, const MeasureOptions& options);

}  // namespace subbyte::allocate
