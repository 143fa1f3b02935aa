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

TEST(DampingLeft, FallsWithTheTokensThatAreGiven) {
  EXPECT_EQ(damping_left(0), 1);
  EXPECT_EQ(damping_left(5000), 1);
  EXPECT_EQ(damping_left(10000), 0.5);
  EXPECT_EQ(damping_left(1e6), 0.3);
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

// What is added to the results and what reaches the product are off; the weights make up for both
// as far as they can: w' x is nearer to what w gives of the right inputs, with the right residual.
TEST(FollowDrift, MakesUpForWhatTheLayersBeforeLost) {
  constexpr std::int64_t kRowsOfIt = 5, kDepth = 12, kPlaces = 400;
  Random random(5);
  const auto draw = [&](std::int64_t count, float size) {
    std::vector<float> numbers(static_cast<std::size_t>(count));
    for (float& x : numbers) x = size * random.normal();
    return numbers;
  };
  // Columns of each place one after the other.
  const std::vector<float> w = draw(kRowsOfIt * kDepth, 1), mixed = draw(kDepth * kDepth, 0.1f);
  const std::vector<float> wanted = draw(kPlaces * kDepth, 1);
  std::vector<float> found = wanted, residual(kPlaces * kRowsOfIt);
  for (std::int64_t p = 0; p < kPlaces; ++p) {
    for (std::int64_t i = 0; i < kDepth; ++i)
      for (std::int64_t j = 0; j < kDepth; ++j)
        found[static_cast<std::size_t>(p * kDepth + i)] +=
            mixed[static_cast<std::size_t>(i * kDepth + j)] *
            wanted[static_cast<std::size_t>(p * kDepth + j)];
    for (std::int64_t r = 0; r < kRowsOfIt; ++r)
      residual[static_cast<std::size_t>(p * kRowsOfIt + r)] =
          0.3f * wanted[static_cast<std::size_t>(p * kDepth + r)];
  }
  Moments m{.k = kDepth, .count = 1e6};
  m.products.resize(kDepth * kDepth);
  m.means.resize(kDepth);
  m.drift.resize(kDepth * kDepth);
  m.residual.resize(kRowsOfIt * kDepth);
  for (std::int64_t p = 0; p < kPlaces; ++p)
    for (std::int64_t j = 0; j < kDepth; ++j) {
      const auto x = [&](const std::vector<float>& from, std::int64_t width, std::int64_t i) {
        return static_cast<double>(from[static_cast<std::size_t>(p * width + i)]) / kPlaces;
      };
      const auto there = static_cast<double>(found[static_cast<std::size_t>(p * kDepth + j)]);
      for (std::int64_t i = 0; i < kDepth; ++i) {
        const auto at = static_cast<std::size_t>(i * kDepth + j);
        m.products[at] += x(found, kDepth, i) * there;
        m.drift[at] += (x(wanted, kDepth, i) - x(found, kDepth, i)) * there;
      }
      for (std::int64_t r = 0; r < kRowsOfIt; ++r)
        m.residual[static_cast<std::size_t>(r * kDepth + j)] += x(residual, kRowsOfIt, r) * there;
    }
  std::vector<float> first;
  for (const unsigned threads : {1u, 3u}) {
    calibrate::Machine machine(threads);
    const auto metric = make_metric(m, {.damping = 1e-4}, machine);
    ASSERT_TRUE(metric);
    const std::vector<float> moved = follow_drift(*metric, m, w.data(), kRowsOfIt, 1, machine);
    if (first.empty()) first = moved;
    EXPECT_EQ(moved, first);
  }
  // What the rows give is off by, with the residual.
  const auto off = [&](const std::vector<float>& weights) {
    double sum = 0;
    for (std::int64_t p = 0; p < kPlaces; ++p)
      for (std::int64_t r = 0; r < kRowsOfIt; ++r) {
        float apart = residual[static_cast<std::size_t>(p * kRowsOfIt + r)];
        for (std::int64_t i = 0; i < kDepth; ++i)
          apart += w[static_cast<std::size_t>(r * kDepth + i)] *
                       wanted[static_cast<std::size_t>(p * kDepth + i)] -
                   weights[static_cast<std::size_t>(r * kDepth + i)] *
                       found[static_cast<std::size_t>(p * kDepth + i)];
        sum += static_cast<double>(apart * apart);
      }
    return sum;
  };
  // Both depend on the inputs alone, so that nothing is left but what damping holds back.
  EXPECT_LT(off(first), 1e-3 * off(w));
  Moments without = m;
  without.drift.clear();
  calibrate::Machine machine(1);
  EXPECT_EQ(
      follow_drift(make_metric(m, {}, machine).value(), without, w.data(), kRowsOfIt, 1, machine),
      w);
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
