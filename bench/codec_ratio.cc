// How long packing weights takes beside memcpy of the same floats on one core, and what a second
// core gives: ./dev bench convert. Each figure is the median over rounds in which copying and
// packing take turns, so that what else the machine does falls on both.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <vector>

#include "quantize/codec.h"
#include "quantize/encoding.h"

namespace {

using namespace subbyte;

constexpr std::int64_t kRows = 2048;
constexpr std::int64_t kDepth = 1024;

std::vector<float> gaussian() {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(0, 0.05f);
  std::vector<float> values(static_cast<std::size_t>(kRows * kDepth));
  for (float& value : values) value = normal(random);
  return values;
}

template <typename Work>
double seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Times {
  double copies = 0;   // of one core, in those of memcpy
  double speedup = 0;  // by a second core
};

Times measure(const std::vector<float>& values, int bits, ScaleSearch search, int rounds) {
  constexpr int kCopies = 4;  // a round of these takes about as long as packing once
  const AffineEncoding encoding = affine_encoding(bits, kDepth, 0.3f);
  std::vector<float> copy(values.size());
  const auto packing = [&](unsigned threads) {
    return seconds([&] {
      const PackedMatrix packed =
          pack(values, kRows, kDepth, encoding, {.search = search, .threads = threads});
      if (packed.values.empty()) fmt::print("nothing was packed\n");
    });
  };
  std::vector<double> copies, speedups;
  for (int round = 0; round < rounds; ++round) {
    const double copying =
        seconds([&] {
          for (int i = 0; i < kCopies; ++i) {
            std::memcpy(copy.data(), values.data(), values.size() * sizeof(float));
            // The copy is used, so that none is left out.
            asm volatile("" : : "r"(copy.data()) : "memory");
          }
        }) /
        kCopies;
    const double one = packing(1);
    const double two = packing(2);
    copies.push_back(one / copying);
    speedups.push_back(one / two);
  }
  return {median(std::move(copies)), median(std::move(speedups))};
}

}  // namespace

int main() {
  const std::vector<float> values = gaussian();
  fmt::print(
      "packing {} million floats, in times that memcpy takes for them on one core\n"
      "bits  to nearest  on two cores  search  on two cores\n",
      kRows * kDepth / 1'000'000);
  for (const int bits : {8, 4, 3, 2}) {
    const Times nearest = measure(values, bits, ScaleSearch::none, 41);
    const Times search = measure(values, bits, ScaleSearch::least_squares, 5);
    fmt::print("{:4}  {:9.1f}x  {:6.2f} faster  {:5.0f}x  {:6.2f} faster\n", bits, nearest.copies,
               nearest.speedup, search.copies, search.speedup);
  }
}
