// Where inputs lie, by what a batch normalisation near them saw.
#include "samples/input_statistics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "calibrate/random.h"
#include "graph/text.h"

namespace subbyte {
namespace {

std::string list(const std::vector<double>& numbers) {
  std::string text;
  for (const double number : numbers)
    text += fmt::format("{}{:.9g}", text.empty() ? "" : ", ", number);
  return text;
}

std::string vector(const std::string& name, const std::vector<double>& numbers) {
  return fmt::format("  value %{} : float32 [{}] = {{{}}}\n", name, numbers.size(), list(numbers));
}

const std::vector<double> kMeans = {1000, -3, 0, 20}, kDeviations = {50, 0.1, 1, 4};

// y = BatchNormalization(x W + b), its statistics those of independent features of kMeans and
// kDeviations, or before any training.
Model normalised_product(bool trained) {
  constexpr std::size_t kFeatures = 4, kChannels = 12;
  Random random(3);
  std::vector<double> weight(kFeatures * kChannels), bias(kChannels), means(kChannels),
      variances(kChannels, trained ? 0 : 1);
  for (double& w : weight) w = random.normal();
  for (std::size_t c = 0; trained && c < kChannels; ++c) {
    bias[c] = random.normal();
    means[c] = bias[c];
    for (std::size_t f = 0; f < kFeatures; ++f) {
      double& w = weight[f * kChannels + c];
      w /= kDeviations[f];
      means[c] += w * kMeans[f];
      variances[c] += w * w * kDeviations[f] * kDeviations[f];
    }
  }
  std::string text = "model \"m\"\ngraph \"main\" {\n  input %x : float32 [n, 4]\n";
  text += fmt::format("  value %w : float32 [4, 12] = {{{}}}\n", list(weight));
  text += vector("b", bias) + vector("gain", std::vector<double>(kChannels, 1)) +
          vector("offset", std::vector<double>(kChannels, 0)) + vector("means", means) +
          vector("variances", variances);
  text +=
      "  %p = MatMul(%x, %w)\n  %q = Add(%p, %b)\n"
      "  %y = BatchNormalization(%q, %gain, %offset, %means, %variances)\n  output %y\n}";
  auto model = parse_model(text);
  if (!model) throw std::runtime_error(model.error().message);
  return std::move(*model);
}

TEST(InputStatistics, FollowFromThoseOfAProduct) {
  const auto found = find_input_statistics(normalised_product(true));
  ASSERT_EQ(found.size(), 1u);
  const Standardisation& x = found.at("x");
  EXPECT_TRUE(x.tells());
  EXPECT_EQ(x.axis_from_end, 1u);
  std::vector<float> middle(4, 0), above(4, 1);
  x.undo(middle, std::vector<std::int64_t>{1, 4});
  x.undo(above, std::vector<std::int64_t>{1, 4});
  for (std::size_t f = 0; f < 4; ++f) {
    EXPECT_NEAR(middle[f], kMeans[f], 0.2 * kDeviations[f] + 2e-3 * std::abs(kMeans[f]));
    EXPECT_NEAR(above[f] - middle[f], kDeviations[f], 0.3 * kDeviations[f]);
  }
}

TEST(InputStatistics, SayNothingBeforeAnyTraining) {
  EXPECT_TRUE(find_input_statistics(normalised_product(false)).empty());
}

TEST(InputStatistics, AreTheInputsOwnWhereItIsNormalised) {
  const auto model = parse_model(R"(model "m"
graph "main" {
  input %x : float32 [n, 2, t]
  value %ones : float32 [2] = {1, 1}
  value %means : float32 [2] = {-40, 7}
  value %variances : float32 [2] = {100, 4}
  %y = BatchNormalization(%x, %ones, %ones, %means, %variances)
  output %y
})");
  ASSERT_TRUE(model) << model.error().message;
  const Standardisation x = find_input_statistics(*model).at("x");
  EXPECT_EQ(x.axis_from_end, 2u);
  std::vector<float> numbers(4, 1);
  x.undo(numbers, std::vector<std::int64_t>{1, 2, 2});
  EXPECT_THAT(numbers,
              testing::ElementsAre(testing::FloatNear(-30, 1e-3f), testing::FloatNear(-30, 1e-3f),
                                   testing::FloatNear(9, 1e-3f), testing::FloatNear(9, 1e-3f)));
}

}  // namespace
}  // namespace subbyte
