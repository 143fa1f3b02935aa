// What zero points are worth: the SQNR of each width with none, whole and fractional zero points,
// and how it compares with spending the same bytes on wider codes (6.02 dB a bit).
// quantize/encoding.cc chooses by this table.
#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string_view>
#include <vector>

#include "quantize/codec.h"

namespace {

using namespace subbyte;

constexpr std::int64_t kRows = 256;
constexpr std::int64_t kDepth = 1024;

std::vector<float> draw(std::string_view distribution) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(0, 0.05f);
  std::exponential_distribution<float> exponential(20.0f);
  std::vector<float> values(static_cast<std::size_t>(kRows * kDepth));
  for (float& value : values) {
    value = distribution == "Gaussian" ? normal(random)
                                       : std::copysign(exponential(random), normal(random));
  }
  return values;
}

void measure(std::string_view distribution) {
  struct Candidate {
    int bits, zero_bits;
    float step, default_value;
  };
  constexpr Candidate kCandidates[] = {
      {2, 0, 1, 1.5f},    {2, 2, 1, 0},      {2, 3, 0.5f, 0}, {2, 4, 0.25f, 0}, {2, 5, 0.125f, 0},
      {2, 6, 0.0625f, 0}, {3, 0, 1, 3.5f},   {3, 3, 1, 0},    {3, 4, 0.5f, 0},  {3, 5, 0.25f, 0},
      {3, 6, 0.125f, 0},  {4, 0, 1, 7.5f},   {4, 4, 1, 0},    {4, 5, 0.5f, 0},  {4, 6, 0.25f, 0},
      {8, 0, 1, 128},     {8, 0, 1, 127.5f}, {8, 8, 1, 0},
  };
  const std::vector<float> values = draw(distribution);
  const RowReader read = [&](std::int64_t first, std::int64_t count, float* out) {
    std::memcpy(out, values.data() + first * kDepth,
                static_cast<std::size_t>(count * kDepth) * sizeof(float));
  };
  fmt::print("{}\nbits  zero point        bits/weight  nearest  searched  searched - 6.02 bits\n",
             distribution);
  for (const Candidate& c : kCandidates) {
    AffineEncoding encoding = affine_encoding(c.bits, kDepth, 1);
    encoding.zero_bits = c.zero_bits;
    encoding.zero_step = c.step;
    encoding.zero_default = c.default_value;
    const RowLayout row = row_layout(encoding, kDepth);
    const double bits = 8 * static_cast<double>(row.values + row.scales + row.zero_points) /
                        static_cast<double>(kDepth);
    const double nearest =
        sqnr_db(pack(read, kRows, kDepth, encoding, {.search = ScaleSearch::none}));
    const double searched = sqnr_db(pack(read, kRows, kDepth, encoding));
    const std::string zero = c.zero_bits == 0 ? fmt::format("{} for all", c.default_value)
                                              : fmt::format("{} bits by {}", c.zero_bits, c.step);
    fmt::print("{:4}  {:16}  {:11.4f}  {:7.2f}  {:8.2f}  {:20.2f}\n", c.bits, zero, bits, nearest,
               searched, searched - 20 * std::log10(2.0) * bits);
  }
}

}  // namespace

int main() {
  measure("Gaussian");
  measure("Laplace");
}
