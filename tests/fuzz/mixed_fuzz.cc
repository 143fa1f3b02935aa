// Any bytes as a mixed-precision file: rules, or an error of one line.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quantize/mixed.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace subbyte;
  std::vector<WeightUse> uses(4);
  const std::vector<std::string> names = {"encoder.layer.0.query", "encoder.layer.1.output",
                                          "embeddings", "head"};
  uses[0].layer = 0;
  uses[0].component = Component::attention;
  uses[1].layer = 1;
  uses[1].component = Component::feed_forward;
  uses[2].component = Component::embedding;
  uses[3].component = Component::head;
  std::vector<Precision> precisions(uses.size(), Precision::bits8);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto named = apply_mixed_precision(text, uses, names, precisions);
  if (named ? named->named.size() != uses.size()
            : named.error().message.find('\n') != std::string::npos) {
    __builtin_trap();
  }
  return 0;
}
