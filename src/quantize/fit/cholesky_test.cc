#include "quantize/fit/cholesky.h"

#include <gtest/gtest.h>

#include "calibrate/random.h"
#include "calibrate/test_forms.h"

namespace subbyte::fit {
namespace {

// A matrix with eigenvalues of at least 1.
std::vector<float> definite(std::int64_t n) {
  Random random(7);
  std::vector<float> b(static_cast<std::size_t>(n * n)), a(b.size());
  for (float& x : b) x = random.number();
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = i == j ? 1 : 0;
      for (std::int64_t k = 0; k < n; ++k)
        sum += static_cast<double>(b[static_cast<std::size_t>(i * n + k)]) *
               static_cast<double>(b[static_cast<std::size_t>(j * n + k)]);
      a[static_cast<std::size_t>(i * n + j)] = static_cast<float>(sum);
    }
  return a;
}

TEST(Cholesky, ProductOfTheFactorsIsTheMatrix) {
  for (const std::int64_t n : {1, 5, 64, 65, 200}) {
    calibrate::Machine machine(2);
    const std::vector<float> a = definite(n);
    std::vector<float> l = a;
    ASSERT_TRUE(factor_cholesky(l.data(), n, machine));
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j <= i; ++j) {
        double sum = 0;
        for (std::int64_t k = 0; k <= j; ++k)
          sum += static_cast<double>(l[static_cast<std::size_t>(i * n + k)]) *
                 static_cast<double>(l[static_cast<std::size_t>(j * n + k)]);
        EXPECT_NEAR(sum, a[static_cast<std::size_t>(i * n + j)], 1e-4 * static_cast<double>(n));
      }
  }
}

TEST(Cholesky, RefusesWhatHasNoFactor) {
  calibrate::Machine machine(1);
  std::vector<float> indefinite = {1, 2, 2, 1};
  EXPECT_FALSE(factor_cholesky(indefinite.data(), 2, machine));
  std::vector<float> infinite = {std::numeric_limits<float>::infinity()};
  EXPECT_FALSE(factor_cholesky(infinite.data(), 1, machine));
}

TEST(Cholesky, GivesTheSameBitsEverywhere) {
  constexpr std::int64_t kSize = 150;
  std::optional<std::vector<float>> first;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const calibrate::OnTarget on(target);
    for (const unsigned threads : {1u, 3u}) {
      calibrate::Machine machine(threads);
      std::vector<float> l = definite(kSize);
      ASSERT_TRUE(factor_cholesky(l.data(), kSize, machine));
      for (std::int64_t i = 0; i < kSize; ++i)
        for (std::int64_t j = i + 1; j < kSize; ++j) l[static_cast<std::size_t>(i * kSize + j)] = 0;
      if (!first) first = l;
      EXPECT_EQ(*first, l);
    }
  }
}

}  // namespace
}  // namespace subbyte::fit
