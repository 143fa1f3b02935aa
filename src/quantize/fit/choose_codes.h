// The codes, scales and zero points of a weight with which its products lose least.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "calibrate/machine.h"
#include "quantize/fit/grid_matrix.h"
#include "quantize/fit/moments.h"

namespace subbyte::fit {

// How much errors along a row count together, e^T H e, and the order in which codes are chosen so
// that later ones make up for the errors of earlier ones.
struct Metric {
  std::int64_t k = 0;
  std::vector<float> h = {};             // k x k, symmetric, the mean of its diagonal 1
  std::vector<std::int64_t> order = {};  // element of the row that is chosen last, ..., first
  // In that order: row j has at i < j what element i makes up of the error of element j.
  std::vector<float> feedback = {};
  double unit = 1;  // what moments were divided by
};

struct MetricOptions {
  // Added to the diagonal, of its mean: what was not seen on the samples counts so much.
  double damping = 0.01;
  // How much of the error of the mean counts, 0 to 1. It is lost where a bias takes it away.
  double mean_share = 1;
};

// How much of a damping is left where moments are of so many tokens of a text that is given: the
// more there are, the less of what was not seen.
double damping_left(double tokens);

// None where the moments are of nothing or not finite. Moments of few places for their size are
// drawn towards equal ones of independent inputs as far as chance may have made them (the oracle
// approximating shrinkage: Chen, Wiesel, Eldar and Hero, "Shrinkage Algorithms for MMSE Covariance
// Estimation", 2010, equation 23).
std::optional<Metric> make_metric(const Moments& moments, const MetricOptions& options,
                                  calibrate::Machine& machine);

// The whole way is right for the samples that it was measured on; on other text it loses what it
// won.
inline constexpr float kDriftFollowed = 0.5f;

// The weights with which a product of inputs that drifted, and what is added to its results, give
// what `exact` (rows x k) gives of those that are wanted, as far as the metric's damping lets them
// move: w + (w D + R) H^-1, D and R the moments' drift and residual (least squares; for the same
// aim codes are chosen by Li et al.: GPTAQ (2025), arXiv 2504.02692).
// That `share` of the way.
std::vector<float> follow_drift(const Metric& metric, const Moments& moments, const float* exact,
                                std::int64_t rows, float share, calibrate::Machine& machine);

// Chooses rows [first, first + count) of `grid`, whose scales and zero points are a start, for the
// weights `exact` (rows x k, of all rows):
// 1. codes one after the other, those of the largest inputs first, each error spread over the
//    elements that are to come (GPTQ, Frantar et al. 2022; in the form of LDLQ, Chee et al. 2023,
//    which takes the factor of H and no inverse);
// 2. `sweeps` times: each code to the best with all others as they are (QuantEase, Behdin et al.
//    2023), and each group's scale and zero point to the least squares for its codes.
void choose_codes(const Metric& metric, const float* exact, std::int64_t first, std::int64_t count,
                  int sweeps, GridMatrix& grid, calibrate::Machine& machine);

}  // namespace subbyte::fit
