#include "quantize/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "quantize/bits.h"
#include "quantize/half.h"

namespace subbyte {
namespace {

using Matrix = std::vector<float>;

RowReader reader(const Matrix& matrix, std::int64_t k) {
  return [&matrix, k](std::int64_t first, std::int64_t count, float* out) {
    std::memcpy(out, matrix.data() + first * k,
                static_cast<std::size_t>(count * k) * sizeof(float));
  };
}

Matrix gaussian(std::int64_t rows, std::int64_t k, float deviation = 0.05f) {
  std::mt19937_64 random(7);
  std::normal_distribution<float> normal(0, deviation);
  Matrix matrix(static_cast<std::size_t>(rows * k));
  for (float& value : matrix) value = normal(random);
  return matrix;
}

AffineEncoding encoding_for(const Matrix& matrix, int bits, std::int64_t k) {
  float largest = 0;
  for (const float value : matrix) largest = std::max(largest, std::fabs(value));
  return affine_encoding(bits, k, largest);
}

PackedMatrix packed(const Matrix& matrix, int bits, std::int64_t k,
                    const PackOptions& options = {}) {
  const auto rows = static_cast<std::int64_t>(matrix.size()) / k;
  return pack(reader(matrix, k), rows, k, encoding_for(matrix, bits, k), options);
}

Matrix unpacked(const PackedMatrix& matrix) {
  Matrix out(static_cast<std::size_t>(matrix.rows * matrix.k));
  unpack(matrix, 0, matrix.rows, out.data());
  return out;
}

Matrix round_trip(const Matrix& matrix, int bits, const PackOptions& options = {}) {
  return unpacked(packed(matrix, bits, static_cast<std::int64_t>(matrix.size()), options));
}

// Each width searched, and 8 bits without a search, as convert stores them.
struct Width {
  int bits;
  ScaleSearch search = ScaleSearch::least_squares;
};
constexpr Width kWidths[] = {{8}, {8, ScaleSearch::none}, {4}, {3}, {2}};

double largest_error(const Matrix& a, const Matrix& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return most;
}

// What independent measurements with the same zero points reach, less 0.1 dB.
TEST(Pack, SqnrOfGaussianWeights) {
  const Matrix matrix = gaussian(200, 1024);
  EXPECT_GE(sqnr_db(packed(matrix, 8, 1024)), 45.4);
  EXPECT_GE(sqnr_db(packed(matrix, 4, 1024)), 22.97);
  EXPECT_GE(sqnr_db(packed(matrix, 3, 1024)), 16.57);
  EXPECT_GE(sqnr_db(packed(matrix, 2, 1024)), 10.35);
}

TEST(Pack, SearchBeatsRoundToNearest) {
  const Matrix matrix = gaussian(50, 256);
  for (const int bits : {8, 4, 3, 2}) {
    const double searched = sqnr_db(packed(matrix, bits, 256));
    const double nearest = sqnr_db(packed(matrix, bits, 256, {.search = ScaleSearch::none}));
    EXPECT_GT(searched, nearest + (bits == 8 ? 0.1 : 0.7)) << bits;
  }
}

// Two large weights among small ones: that search keeps them closer, at the small ones' cost.
TEST(Pack, LargeFirstKeepsTheLargeWeights) {
  Matrix matrix = gaussian(64, 32);
  for (std::size_t row = 0; row < 64; ++row) {
    matrix[row * 32] = 0.3f;
    matrix[row * 32 + 1] = -0.28f;
  }
  const auto error_of_large = [&](ScaleSearch search) {
    const PackedMatrix result = packed(matrix, 3, 32, {.search = search});
    double sum = 0;
    Matrix row(32);
    for (std::int64_t r = 0; r < 64; ++r) {
      unpack(result, r, 1, row.data());
      for (std::size_t i = 0; i < 2; ++i) {
        const double error = row[i] - matrix[static_cast<std::size_t>(r) * 32 + i];
        sum += error * error;
      }
    }
    return sum;
  };
  EXPECT_LT(error_of_large(ScaleSearch::large_first),
            0.7 * error_of_large(ScaleSearch::least_squares));
  EXPECT_GT(packed(matrix, 3, 32, {.search = ScaleSearch::large_first}).distortion.noise,
            packed(matrix, 3, 32).distortion.noise);
}

// 4 bits, rows of 40: a whole group and a tail of 8, codes and zero points read back from the
// bytes with nothing of the codec but the formula.
TEST(Pack, BytesMeanWhatTheFormatSays) {
  const Matrix matrix = gaussian(3, 40);
  const AffineEncoding encoding{
      .bits = 4, .scale_exponent = -17, .zero_bits = 6, .zero_step = 0.25f};
  const PackedMatrix result = pack(reader(matrix, 40), 3, 40, encoding);
  ASSERT_EQ(result.values.size(), 3u * 20u);
  ASSERT_EQ(result.scales.size(), 3u * 4u);
  ASSERT_EQ(result.zero_points.size(), 3u * 2u);
  const Matrix decoded = unpacked(result);
  for (std::size_t r = 0; r < 3; ++r) {
    const unsigned zeros = std::to_integer<unsigned>(result.zero_points[2 * r]) |
                           std::to_integer<unsigned>(result.zero_points[2 * r + 1]) << 8;
    EXPECT_EQ(zeros >> 12, 0u);
    for (std::size_t i = 0; i < 40; ++i) {
      const unsigned code =
          std::to_integer<unsigned>(result.values[20 * r + i / 2]) >> (i % 2 * 4) & 15u;
      std::uint16_t half = 0;
      std::memcpy(&half, result.scales.data() + 4 * r + i / 32 * 2, 2);
      const double scale = static_cast<double>(half_to_float(half)) * std::ldexp(1.0, -17);
      const double zero = (zeros >> (i / 32 * 6) & 63u) * 0.25;
      const double value = scale * (code - zero);
      EXPECT_EQ(static_cast<double>(decoded[40 * r + i]), value);
      const double exact = static_cast<double>(matrix[40 * r + i]);
      EXPECT_EQ(code, std::nearbyint(std::min(std::max(exact / scale + zero, 0.0), 15.0)));
    }
  }
}

TEST(Pack, SameBytesForAnyThreads) {
  const Matrix matrix = gaussian(1500, 200);
  ASSERT_GT(1500, rows_in_block(1500, 200));
  for (const int bits : {8, 4, 3, 2}) {
    const PackedMatrix one = packed(matrix, bits, 200, {.threads = 1});
    for (const unsigned threads : {2u, 5u}) {
      const PackedMatrix several = packed(matrix, bits, 200, {.threads = threads});
      EXPECT_EQ(several.values, one.values);
      EXPECT_EQ(several.scales, one.scales);
      EXPECT_EQ(several.zero_points, one.zero_points);
      EXPECT_EQ(several.distortion, one.distortion);
    }
  }
}

TEST(Pack, SameBytesFromMemory) {
  const Matrix matrix = gaussian(900, 120);
  for (const ScaleSearch search :
       {ScaleSearch::none, ScaleSearch::least_squares, ScaleSearch::large_first}) {
    const AffineEncoding encoding = encoding_for(matrix, 4, 120);
    const PackedMatrix read = pack(reader(matrix, 120), 900, 120, encoding, {.search = search});
    const PackedMatrix lying = pack(matrix, 900, 120, encoding, {.search = search});
    EXPECT_EQ(read.values, lying.values);
    EXPECT_EQ(read.scales, lying.scales);
    EXPECT_EQ(read.zero_points, lying.zero_points);
    EXPECT_EQ(read.distortion, lying.distortion);
  }
}

TEST(Pack, DistortionIsThatOfTheDecodedValues) {
  const Matrix matrix = gaussian(9, 77);
  const PackedMatrix result = packed(matrix, 3, 77);
  Distortion expected;
  const Matrix decoded = unpacked(result);
  expected.add(matrix.data(), decoded.data(), matrix.size());
  EXPECT_NEAR(result.distortion.noise, expected.noise, 1e-6 * expected.noise);
  EXPECT_NEAR(result.distortion.signal, expected.signal, 1e-6 * expected.signal);
}

TEST(Pack, RowsAreIndependent) {
  const Matrix matrix = gaussian(5, 48);
  const PackedMatrix result = packed(matrix, 4, 48);
  const Matrix all = unpacked(result);
  constexpr std::size_t kTwoRows = 96;
  Matrix middle(kTwoRows);
  unpack(result, 2, 2, middle.data());
  EXPECT_EQ(middle, Matrix(all.begin() + kTwoRows, all.begin() + 2 * kTwoRows));
}

TEST(Pack, ZerosStayNextToNothing) {
  for (const auto& [bits, search] : kWidths) {
    for (const float decoded : round_trip(Matrix(160, 0.0f), bits, {.search = search})) {
      EXPECT_LE(std::fabs(decoded), 0x1p-126f) << bits;
    }
    // One group of zeros in a tensor that has others.
    Matrix mixed = gaussian(1, 256);
    std::fill(mixed.begin() + 32, mixed.begin() + 64, 0.0f);
    const Matrix decoded = round_trip(mixed, bits, {.search = search});
    for (std::size_t i = 32; i < 64; ++i) EXPECT_LE(std::fabs(decoded[i]), 1e-8f) << bits;
  }
}

// A half has 11 bits, and the more quotients of code and zero point there are, the nearer one
// comes.
TEST(Pack, ConstantGroups) {
  for (const int bits : {8, 4, 3, 2}) {
    for (const float value : {0.1f, -0.1f, 3.0f, -77.7f, 1e-20f, 1e20f}) {
      const Matrix matrix(128, value);
      EXPECT_LE(largest_error(round_trip(matrix, bits), matrix),
                (bits == 2 ? 2.5e-4 : 1e-4) * std::fabs(value))
          << bits << " bits, " << value;
    }
  }
}

TEST(Pack, AnOutlierIsKeptAndTheRestStaysNearZero) {
  for (const auto& [bits, search] : kWidths) {
    Matrix matrix = gaussian(1, 128, 0.01f);
    matrix[5] = 3.0f;
    const Matrix decoded = round_trip(matrix, bits, {.search = search});
    EXPECT_NEAR(decoded[5], 3.0f, 0.05f) << bits;
    Distortion group;
    group.add(matrix.data(), decoded.data(), 32);
    // As good as storing the outlier and nothing else.
    double rest = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      rest += i == 5 ? 0 : static_cast<double>(matrix[i]) * static_cast<double>(matrix[i]);
    }
    EXPECT_LE(group.noise, 1.01 * rest) << bits;
  }
}

// One value ten deviations out in each group: the search clips or keeps it as is best, and the
// group's error stays far below that of rounding to a grid that spans it all.
TEST(Pack, AnOutlierDoesNotRuinItsGroup) {
  Matrix matrix = gaussian(64, 256);
  for (std::size_t i = 7; i < matrix.size(); i += 32) matrix[i] = i % 64 == 7 ? 0.5f : -0.5f;
  for (const int bits : {4, 3, 2}) {
    const double searched = packed(matrix, bits, 256).distortion.noise;
    const double nearest =
        packed(matrix, bits, 256, {.search = ScaleSearch::none}).distortion.noise;
    EXPECT_LT(searched, (bits == 2 ? 0.65 : 0.85) * nearest) << bits;
    // No worse than storing zeros and the outlier.
    double rest = 0;
    for (std::size_t i = 0; i < matrix.size(); ++i) {
      rest += i % 32 == 7 ? 0 : static_cast<double>(matrix[i]) * static_cast<double>(matrix[i]);
    }
    EXPECT_LE(searched, rest) << bits;
  }
}

// As batch norms leave them when they are folded into depthwise kernels: rows of sizes so different
// that the scales of the small ones would be subnormal halves without a power of two for the
// tensor.
TEST(Pack, RowsOfVeryDifferentSizes) {
  constexpr std::int64_t kRows = 18;
  Matrix matrix = gaussian(kRows, 9, 1e-4f);
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    matrix[i] = std::ldexp(matrix[i], -static_cast<int>(i / 9));
  }
  for (const auto& [bits, search] : kWidths) {
    const PackedMatrix result = packed(matrix, bits, 9, {.search = search});
    const Matrix decoded = unpacked(result);
    for (std::size_t r = 0; r < kRows; ++r) {
      std::uint16_t half = 0;
      std::memcpy(&half, result.scales.data() + 2 * r, 2);
      ASSERT_GE(half_to_float(half), kSmallestNormalHalf);
      Distortion row;
      row.add(matrix.data() + 9 * r, decoded.data() + 9 * r, 9);
      // But for the last rows at 8 bits, whose steps are below the smallest scale.
      if (r >= 12) continue;
      EXPECT_GT(sqnr_db(row), bits == 8 ? 25 : 4 * bits - 3) << bits << " " << r;
    }
  }
}

TEST(Pack, HugeAndTinyTensors) {
  for (const float deviation : {1e-25f, 1e-10f, 1e10f, 1e30f}) {
    const Matrix matrix = gaussian(4, 256, deviation);
    // Twice the deviation is no matter of taste: the numbers are the same but for their exponent.
    EXPECT_NEAR(sqnr_db(packed(matrix, 4, 256)), 23.0, 0.6) << deviation;
  }
}

TEST(Pack, ScalesAreNormalHalves) {
  Matrix matrix = gaussian(1, 320);
  for (std::size_t i = 32; i < 64; ++i) matrix[i] *= 1e-12f;
  matrix[100] = 1e8f;
  const PackedMatrix result = packed(matrix, 4, 320);
  for (std::size_t g = 0; g < 10; ++g) {
    std::uint16_t half = 0;
    std::memcpy(&half, result.scales.data() + 2 * g, 2);
    EXPECT_GE(half_to_float(half), kSmallestNormalHalf);
    EXPECT_LE(half_to_float(half), kLargestHalf);
  }
}

// No row, no k, one element, one short row.
TEST(Pack, SmallShapes) {
  EXPECT_TRUE(pack(nullptr, 0, 32, AffineEncoding{}).values.empty());
  EXPECT_TRUE(pack(nullptr, 4, 0, AffineEncoding{}).values.empty());
  for (const int bits : {8, 4, 3, 2}) {
    for (std::int64_t k = 1; k < 70; ++k) {
      const Matrix matrix = gaussian(2, k);
      const PackedMatrix result = packed(matrix, bits, k);
      EXPECT_LE(largest_error(unpacked(result), matrix), bits == 8 ? 2e-3 : 0.2)
          << bits << " " << k;
    }
  }
}

TEST(Pack, Floats) {
  const Matrix matrix = {1.0f, 0.1f, -3e38f, 65504.0f, 1e-7f, -0.0f};
  const PackedMatrix wide = pack(reader(matrix, 3), 2, 3, FloatEncoding{32});
  EXPECT_EQ(unpacked(wide), matrix);
  EXPECT_EQ(sqnr_db(wide), std::numeric_limits<double>::infinity());
  const Matrix narrow = {1.0f, 0.1f, -2.0f, 65504.0f, 1e-7f, 0.0f};
  const PackedMatrix halves = pack(reader(narrow, 3), 2, 3, FloatEncoding{16});
  EXPECT_EQ(halves.values.size(), 16u);
  for (std::size_t i = 0; i < narrow.size(); ++i) {
    EXPECT_EQ(unpacked(halves)[i], half_to_float(float_to_half(narrow[i])));
  }
  EXPECT_GT(sqnr_db(halves), 100);
}

TEST(PackIntegers, WordsOrAnError) {
  const std::int64_t values[] = {1, -2, 2147483647, -2147483648};
  const PackedMatrix result =
      pack_integers(make_int64_tensor({2, 2}, values), 2, 2, "'table'").value();
  std::int32_t words[4];
  ASSERT_EQ(result.values.size(), sizeof(words));
  std::memcpy(words, result.values.data(), sizeof(words));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(words[i], values[i]);

  const std::int64_t large[] = {5, 4294967296};
  EXPECT_EQ(pack_integers(make_int64_tensor({2}, large), 1, 2, "'table'").error().message,
            "'table': element 1 is 4294967296, which does not fit the 32 bits that the GPU has; "
            "-2147483648 to 2147483647 do");
  EXPECT_EQ(pack_integers(make_tensor(DType::float32, {0}, {}), 1, 0, "'w'").error().message,
            "'w': its elements are float32; only integers and bools can be stored as 32-bit words");

  const Tensor mask = make_tensor(DType::boolean, {3}, {std::byte{1}, std::byte{0}, std::byte{7}});
  const PackedMatrix bools = pack_integers(mask, 1, 3, "'mask'").value();
  std::uint32_t flags[3];
  std::memcpy(flags, bools.values.data(), sizeof(flags));
  EXPECT_EQ(flags[0], 1u);
  EXPECT_EQ(flags[1], 0u);
  EXPECT_EQ(flags[2], 1u);
}

}  // namespace
}  // namespace subbyte
