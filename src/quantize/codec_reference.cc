#include "quantize/codec_reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quantize/half.h"

namespace subbyte {
namespace {

// The code nearest to x, of two equally near ones the even one.
float code_of(float x, const GroupParameters& p, const Grid& grid) {
  const float guess =
      std::nearbyint(std::min(std::max(x / p.scale + p.zero, 0.0f), grid.largest_code));
  // The guess is rounded three times; these products are exact.
  const float above = (guess + 0.5f - p.zero) * p.scale;
  const float below = (guess - 0.5f - p.zero) * p.scale;
  const bool odd = std::fmod(guess, 2.0f) == 1.0f;
  float code = guess;
  if (x > above || (x == above && odd)) code = guess + 1.0f;
  if (x < below || (x == below && odd)) code = guess - 1.0f;
  return std::min(std::max(code, 0.0f), grid.largest_code);
}

// Sums over a group: with u = q - zero, of (x - scale * u)^2 weighted, u, u^2 and x * u.
struct Sums {
  float error = 0, u = 0, uu = 0, xu = 0;
};

// How much the squared error of `value` counts in a group of that mean magnitude.
float weight_of(float value, float mean_magnitude, ScaleSearch search) {
  return search == ScaleSearch::large_first ? std::fabs(value) + mean_magnitude : 1.0f;
}

Sums evaluate(std::span<const float> x, const GroupParameters& p, const Grid& grid,
              float mean_magnitude, ScaleSearch search) {
  Sums sums;
  const float inverse = 1.0f / p.scale;
  for (const float value : x) {
    const float q = std::min(std::max(value * inverse + p.zero, 0.0f), grid.largest_code);
    const float u = std::nearbyint(q) - p.zero;
    const float difference = value - p.scale * u;
    sums.error += weight_of(value, mean_magnitude, search) * (difference * difference);
    sums.u += u;
    sums.uu += u * u;
    sums.xu += value * u;
  }
  return sums;
}

// The parameters that cover [low, high], which contains 0.
GroupParameters cover(float low, float high, const Grid& grid) {
  if (grid.zero_steps == 0) {
    const float zero = grid.zero_default;
    return {nearest_scale(std::max(high / (grid.largest_code - zero), -low / zero)), zero};
  }
  const float scale = nearest_scale((high - low) / grid.largest_code);
  return {scale, nearest_zero(-low / scale, grid)};
}

// The best scale for the codes that gave `sums` if the zero point moves by `move`; the old one
// where there is none.
float refit_scale(const Sums& sums, float sum_x, float count, float move, float scale) {
  const float uu = (sums.uu - 2.0f * move * sums.u) + count * move * move;
  const float xu = sums.xu - move * sum_x;
  return uu > 0 && xu > 0 ? nearest_scale(xu / uu) : scale;
}

// The best scale and zero point for the codes that gave `sums`: linear regression of x on u.
GroupParameters refit(const Sums& sums, float sum_x, float count, const GroupParameters& p,
                      const Grid& grid) {
  const float determinant = count * sums.uu - sums.u * sums.u;
  const float slope = (count * sums.xu - sum_x * sums.u) / determinant;
  float zero = p.zero;
  if (determinant > 0 && slope > 0) {
    const float offset = (sum_x - slope * sums.u) / count;
    zero = nearest_zero(p.zero - offset / slope, grid);
  }
  return {refit_scale(sums, sum_x, count, zero - p.zero, p.scale), zero};
}

}  // namespace

float nearest_scale(float value) {
  const float clamped = std::min(std::max(value, kSmallestNormalHalf), kLargestHalf);
  return half_to_float(float_to_half(clamped));
}

float nearest_zero(float value, const Grid& grid) {
  if (grid.zero_steps == 0) return grid.zero_default;
  const float steps = std::min(std::max(value / grid.zero_step, 0.0f), grid.zero_steps);
  return std::nearbyint(steps) * grid.zero_step;
}

GroupParameters constant_group(float value, const Grid& grid) {
  GroupParameters best;
  float least = std::numeric_limits<float>::infinity();
  const auto consider = [&](float code, float zero) {
    const float u = code - zero;
    const float scale = u == 0 ? kSmallestNormalHalf : nearest_scale(value / u);
    const float error = std::fabs(value - scale * u);
    if (error < least) {
      least = error;
      best = {scale, zero};
    }
  };
  const int codes = static_cast<int>(grid.largest_code) + 1;
  const int steps = static_cast<int>(grid.zero_steps) + 1;
  for (int c = 0; c < codes; ++c) {
    const auto code = static_cast<float>(c);
    if (grid.zero_steps == 0) {
      consider(code, grid.zero_default);
    } else if (code == 0 || code == grid.largest_code) {
      // Other codes give no quotient that these do not.
      for (int step = 0; step < steps; ++step) {
        consider(code, static_cast<float>(step) * grid.zero_step);
      }
    }
  }
  return best;
}

GroupParameters search_group_reference(std::span<const float> x, const Grid& grid,
                                       ScaleSearch search) {
  float least = x[0];
  float most = x[0];
  float sum_x = 0;
  float magnitude = 0;
  for (const float value : x) {
    least = std::min(least, value);
    most = std::max(most, value);
    sum_x += value;
    magnitude += std::fabs(value);
  }
  const float low = std::min(least, 0.0f);
  const float high = std::max(most, 0.0f);
  if (search == ScaleSearch::none) return cover(low, high, grid);
  if (least == most) return constant_group(least, grid);

  const auto count = static_cast<float>(x.size());
  const float mean_magnitude = magnitude / count;
  GroupParameters best;
  float best_error = std::numeric_limits<float>::infinity();
  const auto consider = [&](const GroupParameters& p) {
    const Sums sums = evaluate(x, p, grid, mean_magnitude, search);
    if (sums.error < best_error) {
      best_error = sums.error;
      best = p;
    }
    return sums;
  };
  for (const SearchStart& start : kSearchStarts) {
    GroupParameters p = cover(low * start.low, high * start.high, grid);
    for (int round = 0; round < kSearchRounds; ++round) {
      p = refit(consider(p), sum_x, count, p, grid);
    }
    consider(p);
  }
  if (grid.zero_steps == 0) return best;
  const GroupParameters centre = best;
  for (const float factor : kScaleMoves) {
    for (const float move : kZeroMoves) {
      GroupParameters p = {nearest_scale(centre.scale * factor),
                           nearest_zero(centre.zero + move * grid.zero_step, grid)};
      for (int round = 0; round < kMoveRounds; ++round) {
        p.scale = refit_scale(consider(p), sum_x, count, 0.0f, p.scale);
      }
    }
  }
  return best;
}

void quantize_group_reference(std::span<const float> x, const GroupParameters& parameters,
                              const Grid& grid, std::uint8_t* codes) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    codes[i] = static_cast<std::uint8_t>(code_of(x[i], parameters, grid));
  }
}

}  // namespace subbyte
