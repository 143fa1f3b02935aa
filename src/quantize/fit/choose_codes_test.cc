#include "quantize/fit/choose_codes.h"

#include <gtest/gtest.h>

#include "calibrate/random.h"
#include "calibrate/test_forms.h"
#include "quantize/encoding.h"

namespace subbyte::fit {
namespace {

constexpr std::int64_t kRows = 19, kK = 70;

// Of inputs that depend on each other, of very different sizes.
Moments moments(double places = 1e6) {
  Random random(3);
  Moments m{.k = kK, .count = places};
  m.products.resize(kK * kK);
  m.means.resize(kK);
  std::vector<double> factor(kK * kK);
  for (std::size_t i = 0; i < kK; ++i)
    for (std::size_t j = 0; j < kK; ++j)
      factor[i * kK + j] =
          static_cast<double>(random.number()) * (1.0 + static_cast<double>(i % 7));
  for (std::size_t i = 0; i < kK; ++i)
    for (std::size_t j = 0; j < kK; ++j)
      for (std::size_t k = 0; k < kK / 2; ++k)
        m.products[i * kK + j] += factor[i * kK + k] * factor[j * kK + k];
  return m;
}

std::vector<float> weights() {
  Random random(4);
  std::vector<float> w(kRows * kK);
  for (float& x : w) x = random.number() * 0.1f;
  return w;
}

// The sum over rows of e^T H e.
double error(const Moments& m, const std::vector<float>& w, const PackedMatrix& packed) {
  std::vector<float> decoded(w.size());
  unpack(packed, 0, kRows, decoded.data());
  double sum = 0;
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t i = 0; i < kK; ++i)
      for (std::size_t j = 0; j < kK; ++j) {
        const auto e = [&](std::size_t at) {
          return static_cast<double>(w[r * kK + at]) - static_cast<double>(decoded[r * kK + at]);
        };
        sum += e(i) * m.products[i * kK + j] * e(j);
      }
  return sum;
}

PackedMatrix chosen(int bits, int sweeps, unsigned threads) {
  calibrate::Machine machine(threads);
  const std::vector<float> w = weights();
  const auto metric = make_metric(moments(), {}, machine);
  EXPECT_TRUE(metric);
  GridMatrix grid(pack(w, kRows, kK, affine_encoding(bits, kK, 0.1f)));
  choose_codes(*metric, w.data(), 0, kRows, sweeps, grid, machine);
  return grid.packed(w.data());
}

// What few places show may be chance: inputs count more alike, and more as if independent.
TEST(MakeMetric, BelievesFewPlacesLess) {
  calibrate::Machine machine(1);
  const auto of = [&](double places) { return make_metric(moments(places), {}, machine).value(); };
  const Metric many = of(1e6), few = of(100), fewer = of(10);
  for (std::size_t i = 0; i < kK * kK; ++i) {
    const bool diagonal = i % (kK + 1) == 0;
    EXPECT_NEAR(few.h[i] - many.h[i], diagonal ? few.h[0] - many.h[0] : 0, 1e-5) << i;
  }
  EXPECT_GT(few.h[0] - many.h[0], 0.05f);
  EXPECT_GT(fewer.h[0], few.h[0] + 0.5f);
}

TEST(ChooseCodes, LosesLessThanRoundingAndEachStepLess) {
  const std::vector<float> w = weights();
  const Moments m = moments();
  for (const int bits : {8, 4, 3, 2}) {
    const auto rounded = pack(w, kRows, kK, affine_encoding(bits, kK, 0.1f));
    const PackedMatrix fed_back = chosen(bits, 0, 1), swept = chosen(bits, 3, 1);
    EXPECT_LT(error(m, w, fed_back), 0.5 * error(m, w, rounded)) << bits;
    EXPECT_LT(error(m, w, swept), error(m, w, fed_back)) << bits;
    EXPECT_EQ(swept.values.size(), rounded.values.size());
    EXPECT_EQ(swept.scales.size(), rounded.scales.size());
    EXPECT_EQ(swept.zero_points.size(), rounded.zero_points.size());
  }
}

TEST(ChooseCodes, GivesTheSameBytesEverywhere) {
  const PackedMatrix first = chosen(4, 2, 1);
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const calibrate::OnTarget on(target);
    for (const unsigned threads : {1u, 3u}) {
      const PackedMatrix again = chosen(4, 2, threads);
      EXPECT_EQ(first.values, again.values);
      EXPECT_EQ(first.scales, again.scales);
      EXPECT_EQ(first.zero_points, again.zero_points);
    }
  }
}

TEST(ChooseCodes, HasNoMetricOfNothing) {
  calibrate::Machine machine(1);
  Moments m = moments();
  m.count = 0;
  EXPECT_FALSE(make_metric(m, {}, machine));
  m = moments();
  m.products[0] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(make_metric(m, {}, machine));
  std::ranges::fill(m.products, 0);
  EXPECT_FALSE(make_metric(m, {}, machine));
}

TEST(GridMatrix, WritesTheBytesThatItRead) {
  const std::vector<float> w = weights();
  for (const int bits : {8, 4, 3, 2}) {
    const PackedMatrix packed = pack(w, kRows, kK, affine_encoding(bits, kK, 0.1f));
    const PackedMatrix again = GridMatrix(packed).packed(w.data());
    EXPECT_EQ(again.values, packed.values);
    EXPECT_EQ(again.scales, packed.scales);
    EXPECT_EQ(again.zero_points, packed.zero_points);
    EXPECT_NEAR(sqnr_db(again), sqnr_db(packed), 1e-3);
  }
}

}  // namespace
}  // namespace subbyte::fit
