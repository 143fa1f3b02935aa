// How fast weights are packed and unpacked, beside memcpy of the same floats on one core:
//   codec_bench --benchmark_counters_tabular=true
// The column bytes_per_second counts the floats in each line, so the ratio of two lines is the
// ratio of their speeds.
#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <vector>

#include "quantize/codec.h"

namespace subbyte {
namespace {

constexpr std::int64_t kRows = 2048;
constexpr std::int64_t kDepth = 1024;

const std::vector<float>& weights() {
  static const std::vector<float> values = [] {
    std::vector<float> made(static_cast<std::size_t>(kRows * kDepth));
    std::mt19937_64 random(1);
    std::normal_distribution<float> normal(0, 0.05f);
    for (float& value : made) value = normal(random);
    return made;
  }();
  return values;
}

void count_floats(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * kRows * kDepth *
                          static_cast<std::int64_t>(sizeof(float)));
}

void copy(benchmark::State& state) {
  std::vector<float> to(weights().size());
  for (auto _ : state) {
    std::memcpy(to.data(), weights().data(), weights().size() * sizeof(float));
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  count_floats(state);
}

PackedMatrix packed(int bits, ScaleSearch search, unsigned threads) {
  return pack(weights(), kRows, kDepth, affine_encoding(bits, kDepth, 0.3f),
              {.search = search, .threads = threads});
}

void pack_searched(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(packed(static_cast<int>(state.range(0)), ScaleSearch::least_squares,
                                    static_cast<unsigned>(state.range(1))));
  }
  count_floats(state);
}

void pack_nearest(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(packed(static_cast<int>(state.range(0)), ScaleSearch::none,
                                    static_cast<unsigned>(state.range(1))));
  }
  count_floats(state);
}

void unpack_all(benchmark::State& state) {
  const PackedMatrix matrix = packed(static_cast<int>(state.range(0)), ScaleSearch::none, 0);
  std::vector<float> to(weights().size());
  for (auto _ : state) {
    unpack(matrix, 0, kRows, to.data());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  count_floats(state);
}

BENCHMARK(copy)->UseRealTime();
BENCHMARK(pack_nearest)
    ->ArgNames({"bits", "threads"})
    ->ArgsProduct({{8, 4, 3, 2}, {1, 2}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(pack_searched)
    ->ArgNames({"bits", "threads"})
    ->ArgsProduct({{8, 4, 3, 2}, {1, 2}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(unpack_all)
    ->ArgNames({"bits"})
    ->ArgsProduct({{8, 4, 3, 2}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace subbyte
