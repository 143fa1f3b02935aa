// quantize_tool BITS GROUP EXPONENT ZERO_BITS ZERO_STEP ZERO_DEFAULT K: reads rows of K floats from
// stdin, rounds them to nearest, and writes the three parts of the packed matrix to stdout, one
// after the other. The GPU's functions are tested against it (tests/kernels/quantize.test.mjs).
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "quantize/codec.h"

int main(int argc, char** argv) {
  using namespace subbyte;
  if (argc != 8) {
    std::cerr << "usage: quantize_tool BITS GROUP EXPONENT ZERO_BITS ZERO_STEP ZERO_DEFAULT K\n";
    return 2;
  }
  const AffineEncoding encoding{.bits = std::atoi(argv[1]),
                                .group = std::atoi(argv[2]),
                                .scale_exponent = std::atoi(argv[3]),
                                .zero_bits = std::atoi(argv[4]),
                                .zero_step = static_cast<float>(std::atof(argv[5])),
                                .zero_default = static_cast<float>(std::atof(argv[6]))};
  const std::int64_t k = std::atoll(argv[7]);
  const std::string bytes((std::istreambuf_iterator<char>(std::cin)), {});
  std::vector<float> values(bytes.size() / sizeof(float));
  if (k <= 0 || bytes.size() % (static_cast<std::size_t>(k) * sizeof(float)) != 0) {
    std::cerr << "stdin holds no whole rows\n";
    return 2;
  }
  bytes.copy(reinterpret_cast<char*>(values.data()), bytes.size());
  const PackedMatrix packed = pack(values, static_cast<std::int64_t>(values.size()) / k, k,
                                   encoding, {.search = ScaleSearch::none});
  for (const auto* part : {&packed.values, &packed.scales, &packed.zero_points}) {
    std::fwrite(part->data(), 1, part->size(), stdout);
  }
  return 0;
}
