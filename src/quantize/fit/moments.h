// Second moments of what a weight's rows are multiplied with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calibrate/machine.h"
#include "quantize/fit/product_inputs.h"

namespace subbyte::fit {

// Of one group of a weight, over samples and places: the means of x_i x_j, row-major k x k, and of
// x_i. A sum of errors e along a row has the mean square e^T H e.
struct Moments {
  std::int64_t k = 0;
  double count = 0;
  std::vector<double> products = {};
  std::vector<double> means = {};
};

// On the activations of each sample at about `places` places in all, spread evenly; those of one
// sample are chosen by `seed`. Empty (count 0) where the activations do not fit.
// Those that are not finite are left out. Where the samples are of several `kinds` (fit/decision.h)
// each kind counts alike, over the energy of its own inputs.
Moments measure_moments(const ProductInputs& inputs, std::int64_t k, std::int64_t group,
                        std::span<const Tensor> activations, std::span<const std::size_t> kinds,
                        std::int64_t places, std::uint64_t seed, calibrate::Machine& machine);

}  // namespace subbyte::fit
