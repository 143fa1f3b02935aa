#include "quantize/tune/loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "reference/test_tensors.h"

namespace subbyte::tune {
namespace {

using reference::floats;

Tensor moved(const Tensor& tensor, std::size_t element, float by) {
  std::vector<std::byte> bytes(tensor.data.begin(), tensor.data.end());
  float x = 0;
  std::memcpy(&x, bytes.data() + 4 * element, 4);
  x += by;
  std::memcpy(bytes.data() + 4 * element, &x, 4);
  return make_tensor(tensor.dtype, tensor.dims, std::move(bytes));
}

double loss(const OutputContent& content, const Tensor& exact, const Tensor& found,
            std::vector<std::vector<float>>& lost) {
  calibrate::Machine machine(1);
  return loss_of({content}, {exact}, {found}, 1, lost, machine);
}

void expect_slopes(const OutputContent& content, const Tensor& exact, const Tensor& found) {
  std::vector<std::vector<float>> lost, unused;
  loss(content, exact, found, lost);
  ASSERT_EQ(lost[0].size(), static_cast<std::size_t>(found.elements()));
  for (std::size_t i = 0; i < lost[0].size(); ++i) {
    constexpr float kStep = 1e-3f;
    const double above = loss(content, exact, moved(found, i, kStep), unused);
    const double below = loss(content, exact, moved(found, i, -kStep), unused);
    EXPECT_NEAR(static_cast<double>(lost[0][i]), (above - below) / (2 * kStep), 2e-3);
  }
}

TEST(TuningLoss, ChangesAsItSays) {
  const Tensor exact = floats({2, 3}, {0.2f, 0.5f, 0.3f, 0.6f, 0.3f, 0.1f});
  const Tensor found = floats({2, 3}, {0.3f, 0.3f, 0.4f, 0.5f, 0.2f, 0.3f});
  for (const std::size_t axis : {0u, 1u}) {
    expect_slopes({.says = Says::numbers}, exact, found);
    expect_slopes({.says = Says::logits, .axis = axis}, exact, found);
    expect_slopes({.says = Says::distribution, .axis = axis, .is_logarithm = true}, exact, found);
  }
  // Of probabilities as they are: p / q, whatever they add up to.
  expect_slopes({.says = Says::distribution, .axis = 1}, exact, found);
}

TEST(TuningLoss, IsThatOfDivergenceAndOfSquares) {
  std::vector<std::vector<float>> lost;
  const Tensor exact = floats({1, 2}, {3, 4}), found = floats({1, 2}, {3, 5});
  EXPECT_NEAR(loss({.says = Says::numbers}, exact, found, lost), 0.2, 1e-3);
  // Of logits what all have in common says nothing.
  EXPECT_NEAR(loss({.says = Says::logits, .axis = 1}, exact, floats({1, 2}, {7, 8}), lost), 0,
              2e-4);
  const double p = 1 / (1 + std::exp(1.0)), q = 1 / (1 + std::exp(2.0));
  EXPECT_NEAR(loss({.says = Says::logits, .axis = 1}, exact, found, lost),
              std::sqrt(p * std::log(p / q) + (1 - p) * std::log((1 - p) / (1 - q))), 1e-4);
}

TEST(TuningLoss, OfWhatCounts) {
  std::vector<std::vector<float>> lost;
  calibrate::Machine machine(1);
  const Tensor numbers = floats({2}, {1, 0}), other = floats({2}, {0, 0});
  const Tensor ids = reference::int64s({2}, {1, 2});
  const double sum = loss_of({{.says = Says::numbers}, {}, {.is_cache = true}},
                             {numbers, ids, numbers}, {other, ids, other}, 1, lost, machine);
  EXPECT_NEAR(sum, 1, 1e-6);
  EXPECT_FALSE(lost[0].empty());
  EXPECT_TRUE(lost[1].empty());
  EXPECT_TRUE(lost[2].empty());
}

}  // namespace
}  // namespace subbyte::tune
