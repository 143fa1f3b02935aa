// The scale of images by the statistics of the first normalisation.
#include "samples/image_scale.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <stdexcept>

#include "graph/infer.h"
#include "graph/text.h"
#include "samples/lettered_page.h"
#include "samples/natural_picture.h"

namespace subbyte {
namespace {

constexpr std::size_t kChannels = 4;
constexpr std::int64_t kSide = 48, kPlaces = kSide * kSide;
// Sums, differences of colours, and one channel alone.
constexpr std::array<std::array<float, 3>, kChannels> kKernel = {
    {{0.5f, 0.25f, 0.5f}, {-0.3f, -0.6f, 0.2f}, {1, 0, 0}, {0.4f, 0.7f, -0.2f}}};

std::string network(const std::array<double, kChannels>& means,
                    const std::array<double, kChannels>& variances) {
  return fmt::format(R"(model "m"
graph "main" {{
  input %x : float32 [batch, 3, height, width]
  value %kernel : float32 [4, 3, 1, 1] = {{0.5, 0.25, 0.5, -0.3, -0.6, 0.2, 1, 0, 0, 0.4, 0.7, -0.2}}
  value %bias : float32 [4] = {{3, 3, 3, 3}}
  value %ones : float32 [4] = {{1, 1, 1, 1}}
  value %means : float32 [4] = {{{}}}
  value %variances : float32 [4] = {{{}}}
  %y = Conv(%x, %kernel, %bias) {{kernel_shape = [1, 1], strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1}}
  %z = BatchNormalization(%y, %ones, %ones, %means, %variances)
  output %z
}})",
                     fmt::join(means, ", "), fmt::join(variances, ", "));
}

std::map<std::string, ImageScale> scales_of(const std::string& text) {
  auto model = parse_model(text);
  if (!model) throw std::runtime_error(model.error().message);
  if (auto inferred = infer(*model); !inferred) throw std::runtime_error(inferred.error().message);
  return find_image_scales(*model);
}

// What a training on other pictures than the made ones would have left.
std::string trained(ImageScale scale) {
  std::array<double, kChannels> means{}, variances{};
  double count = 0;
  Random random(77);
  for (int i = 0; i < 8; ++i) {
    Picture picture = i % 2 == 0 ? lettered_page(3, kSide, kSide, random)
                                 : natural_picture(3, kSide, kSide, random);
    apply(scale, picture);
    for (std::int64_t place = 0; place < kPlaces; ++place, ++count) {
      for (std::size_t c = 0; c < kChannels; ++c) {
        double result = 3;
        for (std::int64_t k = 0; k < 3; ++k)
          result += kKernel[c][static_cast<std::size_t>(k)] *
                    picture.values[static_cast<std::size_t>(k * kPlaces + place)];
        means[c] += result;
        variances[c] += result * result;
      }
    }
  }
  for (std::size_t c = 0; c < kChannels; ++c) {
    means[c] /= count;
    variances[c] = variances[c] / count - means[c] * means[c];
  }
  return network(means, variances);
}

TEST(ImageScale, IsTheOneThatTheNormalisationWasTrainedOn) {
  for (const ImageScale scale : kImageScales) {
    const auto found = scales_of(trained(scale));
    ASSERT_EQ(found.count("x"), 1u) << static_cast<int>(scale);
    EXPECT_EQ(found.at("x"), scale) << static_cast<int>(scale);
  }
}

TEST(ImageScale, StatisticsThatFitNoneSayNothing) {
  EXPECT_TRUE(scales_of(network({0, 0, 0, 0}, {1, 1, 1, 1})).empty());  // never trained
  EXPECT_TRUE(scales_of(network({900, 900, 900, 900}, {1, 1, 1, 1})).empty());
  EXPECT_TRUE(scales_of(network({3, 3, 3, 3}, {1e4, 1e4, 1e4, 1e4})).empty());
}

}  // namespace
}  // namespace subbyte
