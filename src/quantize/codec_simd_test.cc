// The SIMD search gives what the readable one gives, to the bit, on every target that this machine
// has.
#include "quantize/codec_simd.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "quantize/codec_reference.h"
#include "quantize/encoding.h"

namespace subbyte {
namespace {

using Group = std::vector<float>;

// Normalised groups: magnitudes below 2^15, as affine_encoding() arranges.
std::vector<Group> groups_of(std::size_t length, int random_groups) {
  std::mt19937_64 random(length);
  std::normal_distribution<float> normal(0, 4000);
  const auto make = [&](const std::function<float(std::size_t)>& value) {
    Group group(length);
    for (std::size_t i = 0; i < length; ++i) group[i] = value(i);
    return group;
  };
  const auto draw = [&](std::size_t) {
    return std::min(std::max(normal(random), -32767.0f), 32767.0f);
  };
  std::vector<Group> groups;
  for (int i = 0; i < random_groups; ++i) {
    groups.push_back(make(draw));
    // A mirrored zero point is as good for these but for the rounding of each step, which decides.
    Group symmetric = groups.back();
    for (std::size_t j = 1; j < length; j += 2) symmetric[j] = -symmetric[j - 1];
    groups.push_back(std::move(symmetric));
  }
  for (const float value : {0.0f, -0.0f, 1.0f, -1.0f, 32767.0f, -32767.0f, 0.1f, 1e-6f, -1e-30f}) {
    groups.push_back(make([&](std::size_t) { return value; }));                    // constant
    groups.push_back(make([&](std::size_t i) { return i == 0 ? value : 0.0f; }));  // one spike
    groups.push_back(make([&](std::size_t i) { return i % 2 == 0 ? value : -value; }));
    groups.push_back(
        make([&](std::size_t i) { return i + 1 == length ? 32767.0f : draw(i) * 1e-3f; }));
    groups.push_back(make([&](std::size_t i) { return value + 1e-4f * static_cast<float>(i); }));
    groups.push_back(
        make([&](std::size_t i) { return 20000.0f + 1e-2f * draw(i); }));  // far from 0
    groups.push_back(make([&](std::size_t i) { return -20000.0f + 1e-2f * draw(i); }));
    groups.push_back(make([&](std::size_t i) { return draw(i) * 1e-9f; }));  // below the scales
    groups.push_back(make([&](std::size_t i) { return std::fabs(draw(i)); }));
    groups.push_back(
        make([&](std::size_t i) { return std::ldexp(1.0f, 14 - 4 * static_cast<int>(i)); }));
    groups.push_back(
        make([&](std::size_t i) { return 100.0f * static_cast<float>(i % 16); }));  // ties
    groups.push_back(
        make([&](std::size_t i) { return 50.0f * static_cast<float>(i % 31) - 700.0f; }));
  }
  return groups;
}

struct alignas(64) Line {
  float lanes[kBatchGroups];
};

std::string name_of(const Group& group) {
  std::string text;
  for (const float value : group) text += std::to_string(value) + " ";
  return text;
}

// Scales and zero points of a batch of groups of one length.
void expect_same_search(const Grid& grid, std::span<const Group> groups) {
  const std::size_t length = groups.front().size();
  std::vector<Line> x(length);
  Line scales, zeros;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (std::size_t i = 0; i < length; ++i) x[i].lanes[g] = groups[g][i];
  }
  for (const ScaleSearch search : {ScaleSearch::least_squares, ScaleSearch::large_first}) {
    search_batch(x[0].lanes, length, grid, search, scales.lanes, zeros.lanes);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const GroupParameters expected = search_group_reference(groups[g], grid, search);
      ASSERT_EQ(scales.lanes[g], expected.scale) << name_of(groups[g]);
      ASSERT_EQ(zeros.lanes[g], expected.zero) << name_of(groups[g]);
    }
  }
}

// Rounding to nearest, the codes by it and by what a search finds, and what they lost.
void expect_same_row(const AffineEncoding& encoding, const Group& row) {
  const Grid grid(encoding);
  const auto size = static_cast<std::size_t>(encoding.group);
  const std::size_t groups = (row.size() + size - 1) / size;
  std::vector<float> lows(groups), highs(groups), scales(groups), zeros(groups);
  const WeightRow weights{row.data(), row.size(), size, 1.0f};
  range_of_groups(weights, lows.data(), highs.data());
  cover_ranges(lows.data(), highs.data(), groups, grid, scales.data(), zeros.data());
  for (const ScaleSearch search :
       {ScaleSearch::none, ScaleSearch::least_squares, ScaleSearch::large_first}) {
    std::vector<std::uint8_t> codes(row.size()), expected_codes(row.size());
    double signal = 0, noise = 0;
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t start = g * size;
      const std::span<const float> x(row.data() + start, std::min(size, row.size() - start));
      const GroupParameters expected = search_group_reference(x, grid, search);
      if (search == ScaleSearch::none) {
        ASSERT_EQ(scales[g], expected.scale) << name_of(row);
        ASSERT_EQ(zeros[g], expected.zero) << name_of(row);
      }
      scales[g] = expected.scale;
      zeros[g] = expected.zero;
      quantize_group_reference(x, expected, grid, &expected_codes[start]);
      for (std::size_t i = start; i < start + x.size(); ++i) {
        const double decoded =
            static_cast<double>(expected.scale) *
            (static_cast<double>(expected_codes[i]) - static_cast<double>(expected.zero));
        const double value = static_cast<double>(row[i]);
        signal += value * value;
        noise += (value - decoded) * (value - decoded);
      }
    }
    const Distortion distortion =
        quantize_row(weights, grid, scales.data(), zeros.data(), codes.data());
    ASSERT_EQ(codes, expected_codes) << name_of(row);
    ASSERT_NEAR(distortion.signal, signal, 1e-5 * signal);
    ASSERT_NEAR(distortion.noise, noise, 1e-5 * noise + 1e-12 * signal);
  }
}

void expect_same(const AffineEncoding& encoding, std::size_t length, int random_groups = 40) {
  const std::vector<Group> groups = groups_of(length, random_groups);
  const std::size_t group = static_cast<std::size_t>(encoding.group);
  for (std::size_t start = 0; start < groups.size(); start += kBatchGroups) {
    const std::span batch(groups.data() + start, std::min(groups.size() - start, kBatchGroups));
    expect_same_search(Grid(encoding), batch);
  }
  // Rows of several groups, the last of which is a tail where `length` is shorter than a group.
  for (std::size_t start = 0; start + 3 <= groups.size(); start += 3) {
    Group row;
    for (std::size_t g = 0; g < 3; ++g) {
      const Group& from = groups[start + (g < 2 ? g : 2)];
      for (std::size_t i = 0; i < (g < 2 ? group : length); ++i) row.push_back(from[i % length]);
    }
    expect_same_row(encoding, row);
    if (testing::Test::HasFatalFailure()) return;
  }
}

class EveryTarget : public testing::Test {
 protected:
  void TearDown() override { choose(0); }
  // 0: what the machine has.
  static void choose(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

TEST_F(EveryTarget, GivesTheReferencesNumbers) {
  int tested = 0;
  for (std::int64_t targets = hwy::SupportedTargets(); targets != 0; targets &= targets - 1) {
    const std::int64_t target = targets & -targets;
    SCOPED_TRACE(hwy::TargetName(target));
    choose(target);
    for (const int bits : {8, 4, 3, 2}) {
      SCOPED_TRACE(bits);
      for (const std::size_t length : {1u, 2u, 7u, 31u, 32u}) {
        expect_same(affine_encoding(bits, 4096, 1), length);
        expect_same(affine_encoding(bits, 32, 1), length);
        if (HasFatalFailure()) return;
      }
    }
    // Enough of them that one rounding too few, as of a fused multiply-add, is seen.
    expect_same(affine_encoding(4, 4096, 1), 32, 500);
    expect_same({.bits = 8, .zero_bits = 8}, 32);
    expect_same({.bits = 2, .zero_bits = 6, .zero_step = 0.0625f}, 32);
    choose(0);
    ++tested;
  }
  EXPECT_GE(tested, 1);
}

}  // namespace
}  // namespace subbyte
