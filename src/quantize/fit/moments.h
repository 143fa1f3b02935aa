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
  // With a Drift: the means of d_i x_j, d what is wanted of the inputs less x, k x k, and of r_i
  // x_j, r what is wanted of the residual less what is there, rows x k.
  std::vector<double> drift = {}, residual = {};
};

// What the layers before should have given each sample, had nothing been quantized.
struct Drift {
  std::span<const Tensor> wanted = {};  // of the activations
  // Of what is added to the product's results, [places, rows]; empty where nothing is.
  std::span<const Tensor> residual_wanted = {}, residual_found = {};
};

// On the activations of each sample at about `places` places in all, spread evenly; those of one
// sample are chosen by `seed`. Empty (count 0) where the activations do not fit.
// Those that are not finite are left out. Where the samples are of several `kinds` (fit/decision.h)
// each kind counts alike, over the energy of its own inputs. `drift`, of the same shapes, is
// nothing where nobody asks for it.
Moments measure_moments(const ProductInputs& inputs, std::int64_t k, std::int64_t group,
                        std::span<const Tensor> activations, const Drift& drift,
                        std::span<const std::size_t> kinds, std::int64_t places, std::uint64_t seed,
                        calibrate::Machine& machine);

}  // namespace subbyte::fit
