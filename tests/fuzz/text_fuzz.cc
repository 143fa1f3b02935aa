// Any text as a model's text form: what is read can be written, and what was written reads back the
// same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "graph/infer.h"
#include "graph/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto model = subbyte::parse_model(text);
  if (!model) return 0;
  const std::string written = subbyte::to_text(*model, true);
  auto again = subbyte::parse_model(written);
  if (!again || subbyte::to_text(*again, true) != written) __builtin_trap();
  if (subbyte::verify(*model)) (void)subbyte::infer(*model);
  return 0;
}
