#include "quantize/made_by_rule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <random>
#include <span>
#include <vector>

#include "graph/half.h"

namespace subbyte {
namespace {

using Dims = std::vector<std::int64_t>;
using Formula = std::function<double(std::span<const std::int64_t> at)>;

Tensor tensor(const Dims& dims, const Formula& formula) {
  std::int64_t count = 1;
  for (const std::int64_t d : dims) count *= d;
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * sizeof(float));
  const std::span<float> values(reinterpret_cast<float*>(bytes.data()),
                                static_cast<std::size_t>(count));
  Dims at(dims.size(), 0);
  for (float& value : values) {
    value = static_cast<float>(formula(at));
    for (std::size_t i = dims.size(); i-- > 0 && ++at[i] == dims[i];) at[i] = 0;
  }
  return make_tensor(DType::float32, dims, std::move(bytes));
}

double up_to_1(std::mt19937& random) { return static_cast<double>(random()) * 0x1p-32; }

Tensor trained(const Dims& dims, unsigned seed) {
  std::mt19937 random(seed);
  return tensor(dims, [&](auto) { return 2 * up_to_1(random) - 1; });
}

double frequency(std::int64_t i, std::int64_t count) {
  return std::pow(10000, -static_cast<double>(i) / static_cast<double>(count));
}

TEST(MadeByRule, TablesOfWaves) {
  for (const double first : {0.0, 2.0, 5.0}) {
    const auto halves = [=](auto at) {
      const double angle = (static_cast<double>(at[0]) + first) * frequency(at[1] % 16, 16);
      return at[1] < 16 ? std::sin(angle) : std::cos(angle);
    };
    const auto interleaved = [=](auto at) {
      const double angle = (static_cast<double>(at[0]) + first) * frequency(at[1] / 2, 16);
      return 3 * (at[1] % 2 == 0 ? std::sin(angle) : std::cos(angle)) + 0.25;
    };
    EXPECT_TRUE(holds_series(tensor({64, 32}, halves))) << first;
    EXPECT_TRUE(holds_series(tensor({1000, 32}, interleaved))) << first;
    EXPECT_TRUE(holds_series(tensor({1, 64, 1, 32}, [&](auto at) {
      const Dims place{at[1], at[3]};
      return halves(std::span<const std::int64_t>(place));
    })));
  }
}

// As translation models have them: positions that begin at 2 after a row of padding, the sines
// before the cosines, in a file of halves or of bfloat16.
TEST(MadeByRule, TablesOfWavesInFewBits) {
  const auto wave = [](auto at) {
    if (at[0] == 1) return 0.0;
    const double angle =
        static_cast<double>(at[0]) * std::pow(10000, -static_cast<double>(at[1] % 32) / 31);
    return at[1] < 32 ? std::sin(angle) : std::cos(angle);
  };
  const auto to_half = [](double v) { return half_to_float(float_to_half(static_cast<float>(v))); };
  const auto to_bfloat16 = [](double v) {
    return bfloat16_to_float(float_to_bfloat16(static_cast<float>(v)));
  };
  for (const std::int64_t rows : {34, 66, 514}) {
    EXPECT_TRUE(holds_series(tensor({rows, 64}, [&](auto at) { return to_half(wave(at)); })));
    EXPECT_TRUE(holds_series(tensor({rows, 64}, [&](auto at) { return to_bfloat16(wave(at)); })));
  }
  EXPECT_TRUE(holds_series(tensor({256, 2}, [](auto at) { return static_cast<double>(at[0]); })));
  std::mt19937 random(5);
  for (int i = 0; i < 20; ++i) {
    const auto rounded = [&](auto) { return to_bfloat16(2 * up_to_1(random) - 1); };
    EXPECT_FALSE(holds_series(tensor({64, 48}, rounded)));
    EXPECT_FALSE(is_fixed_kernel(tensor({16, 1, 3, 3}, rounded), true));
  }
}

TEST(MadeByRule, TablesOfPlaces) {
  // As MAE and DETR have: half of the channels for each of two axes.
  const auto place = [](std::int64_t y, std::int64_t x, std::int64_t channel) {
    const double angle =
        static_cast<double>(channel < 16 ? y : x) * frequency(channel % 16 / 2, 8) * 0.45;
    return channel % 2 == 0 ? std::sin(angle) : std::cos(angle);
  };
  const auto flat = [&](auto at) {
    return at[1] == 0 ? 0 : place((at[1] - 1) / 14, (at[1] - 1) % 14, at[2]);
  };
  EXPECT_TRUE(holds_series(tensor({1, 197, 32}, flat)));
  EXPECT_TRUE(
      holds_series(tensor({1, 32, 12, 18}, [&](auto at) { return place(at[2], at[3], at[1]); })));
  EXPECT_TRUE(holds_series(tensor({256, 2}, [](auto at) {
    return static_cast<double>(at[1] == 0 ? at[0] % 16 : at[0] / 16) * 100 + 0.37;
  })));
  EXPECT_TRUE(
      holds_series(tensor({1, 16, 1, 1}, [](auto at) { return static_cast<double>(at[1]); })));
}

TEST(MadeByRule, WavesOfSpectra) {
  const auto wave = [](auto at) {
    const auto k = static_cast<double>(at[0] % 65), t = static_cast<double>(at[2]);
    const double window = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * t / 128);
    const double angle = 2 * std::numbers::pi * k * t / 128;
    return window * (at[0] < 65 ? std::cos(angle) : -std::sin(angle));
  };
  EXPECT_TRUE(holds_series(tensor({130, 1, 128}, wave)));
}

double triangle(double x, double left, double middle, double right) {
  return std::max(0.0, std::min((x - left) / (middle - left), (right - x) / (right - middle)));
}

TEST(MadeByRule, FilterBanks) {
  const auto mel = [](auto at) {
    const auto edge = [](double i) { return 700 * (std::pow(10, i * 0.034) - 1) / 40; };
    const auto i = static_cast<double>(at[1]);
    return triangle(static_cast<double>(at[0]), edge(i), edge(i + 1), edge(i + 2)) * 2 /
           (edge(i + 2) - edge(i));
  };
  const Tensor bank = tensor({201, 80}, mel);
  EXPECT_TRUE(is_filter_bank(bank));
  EXPECT_TRUE(is_filter_bank(tensor({80, 201}, [&](auto at) {
    const Dims swapped{at[1], at[0]};
    return mel(std::span<const std::int64_t>(swapped));
  })));
  // Interpolation from 8 places to 20.
  EXPECT_TRUE(is_filter_bank(tensor({20, 8}, [](auto at) {
    const double x = std::min((static_cast<double>(at[0]) + 0.5) * 0.4, 7.0);
    const auto j = static_cast<double>(at[1]);
    return triangle(x, j - 1, j, j + 1);
  })));
  EXPECT_FALSE(is_filter_bank(trained({201, 80}, 1)));
  std::mt19937 random(2);
  // A diagonal of scales, and a pruned weight without negative numbers.
  EXPECT_FALSE(is_filter_bank(
      tensor({64, 64}, [&](auto at) { return at[0] == at[1] ? up_to_1(random) + 0.5 : 0; })));
  EXPECT_FALSE(is_filter_bank(
      tensor({64, 64}, [&](auto) { return random() % 10 == 0 ? up_to_1(random) : 0; })));
}

TEST(MadeByRule, FixedKernels) {
  const auto gauss = [](auto at) {
    const double y = static_cast<double>(at[2]) - 2, x = static_cast<double>(at[3]) - 2;
    return std::exp(-(x * x + y * y) / 3.38) / 10.3;
  };
  EXPECT_TRUE(is_fixed_kernel(tensor({1, 1, 5, 5}, gauss), false));
  const auto sobel = [](auto at) {
    const std::int64_t along = at[2 + at[0]] - 1, across = at[3 - at[0]] - 1;
    return static_cast<double>(along * (2 - std::abs(across)));
  };
  EXPECT_TRUE(is_fixed_kernel(tensor({2, 1, 3, 3}, sobel), false));
  // Bilinear, between like channels alone.
  const auto enlarges = [](auto at) {
    const double y = 1 - std::abs(static_cast<double>(at[2]) - 1.5) / 2;
    const double x = 1 - std::abs(static_cast<double>(at[3]) - 1.5) / 2;
    return at[0] == at[1] ? y * x : 0;
  };
  EXPECT_TRUE(is_fixed_kernel(tensor({21, 21, 4, 4}, enlarges), false));
  const auto motion = [](auto at) { return at[3] < 2 ? 0.21 * static_cast<double>(at[3] + 1) : 0; };
  EXPECT_TRUE(is_fixed_kernel(tensor({3, 1, 1, 5}, motion), true));
  const auto mean = [](auto) { return 1.0 / 9; };
  EXPECT_TRUE(is_fixed_kernel(tensor({3, 1, 3, 3}, mean), true));
  EXPECT_FALSE(is_fixed_kernel(tensor({8, 8, 3, 3}, mean), false));
  for (unsigned seed = 0; seed < 20; ++seed) {
    EXPECT_FALSE(is_fixed_kernel(trained({16, 1, 3, 3}, seed), true));
    EXPECT_FALSE(is_fixed_kernel(trained({16, 8, 3, 3}, seed), false));
    EXPECT_FALSE(is_fixed_kernel(trained({4, 1, 1, 1}, seed), true));
  }
  EXPECT_FALSE(is_fixed_kernel(tensor({8, 8, 3, 3}, [](auto) { return 0.0; }), false));
}

// Each of their planes is what it is when turned by half a turn.
Tensor turned_alike(const Dims& dims, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<double> half;
  return tensor(dims, [&](auto at) {
    const std::int64_t size = dims[2] * dims[3], place = at[2] * dims[3] + at[3];
    if (place == 0) half.clear();
    if (place <= size / 2) half.push_back(2 * up_to_1(random) - 1);
    return half[static_cast<std::size_t>(std::min(place, size - 1 - place))];
  });
}

TEST(MadeByRule, SymmetryAloneIsNoRule) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    EXPECT_FALSE(is_fixed_kernel(turned_alike({16, 1, 3, 3}, seed), true)) << seed;
    EXPECT_FALSE(is_fixed_kernel(turned_alike({16, 1, 1, 5}, seed), true)) << seed;
  }
  // Long ones, and few.
  EXPECT_TRUE(is_fixed_kernel(turned_alike({16, 1, 1, 31}, 1), true));
  EXPECT_TRUE(is_fixed_kernel(turned_alike({2, 1, 3, 3}, 1), true));
  // Whole numbers, each plane by its own factor.
  const auto binomial = [](auto at) {
    constexpr double kRow[] = {1, 4, 6, 4, 1};
    return kRow[at[3]] / 16 * (static_cast<double>(at[0]) + 0.3);
  };
  EXPECT_TRUE(is_fixed_kernel(tensor({16, 1, 1, 5}, binomial), true));
  // Two numbers of a few bits are alike by chance.
  const auto near = [](auto at) { return at[3] == 0 ? 1.0 : at[3] == 1 ? 1.5 : 1.0078125; };
  EXPECT_FALSE(is_fixed_kernel(tensor({1, 1, 1, 3}, near), true));
}

TEST(MadeByRule, TrainedWeightsAreNot) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    for (const Dims& dims :
         {Dims{64, 48}, Dims{5, 3}, Dims{16, 8, 3, 3}, Dims{8}, Dims{1, 16, 1}}) {
      EXPECT_FALSE(holds_series(trained(dims, seed))) << seed;
      EXPECT_FALSE(is_filter_bank(trained(dims, seed))) << seed;
    }
  }
  // Rows in which nothing was learned, beside others.
  std::mt19937 random(3);
  EXPECT_FALSE(
      holds_series(tensor({64, 64}, [&](auto at) { return at[0] < 40 ? 0.5 : up_to_1(random); })));
}

}  // namespace
}  // namespace subbyte
