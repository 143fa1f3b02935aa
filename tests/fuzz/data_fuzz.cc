// Any bytes as a file of calibration data, of the kind that the first of them says: samples that
// fit the model, or an error of one line.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/memory_file.h"
#include "data/load_samples.h"
#include "graph/infer.h"
#include "graph/text.h"
#include "reference/reference.h"

namespace {

using namespace subbyte;

Model model_of(const std::string& inputs) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n" + inputs + "}");
  if (!model || !infer(*model)) __builtin_trap();
  return std::move(*model);
}

struct Kind {
  std::string file;
  Model model;
};

// What the bytes are, and what they are for.
const Kind& kind_of(std::uint8_t first) {
  static const Kind kinds[] = {
      {"d/a.npz", model_of("  input %x : float32 [batch, n]\n  input %m : int64 [batch, n]\n"
                           "  %f = Cast(%m) {to = 1}\n  %y = Mul(%x, %f)\n  output %y\n")},
      {"d/a.npy", model_of("  input %x : float32 [batch, 2]\n  %y = Relu(%x)\n  output %y\n")},
      {"d/a.png", model_of("  input %x : float32 [1, 3, 8, 8]\n  %y = Relu(%x)\n  output %y\n")},
      {"d/a.jpg",
       model_of("  input %x : uint8 [1, 8, 8, 3]\n  %y = Cast(%x) {to = 1}\n  output %y\n")},
      {"d/a.wav", model_of("  input %x : float32 [batch, n]\n  %y = Relu(%x)\n  output %y\n")},
      {"d/inputs.json",
       model_of("  input %x : float32 [1, 3, 8, w]\n  %y = Relu(%x)\n  output %y\n")}};
  return kinds[first % std::size(kinds)];
}

std::vector<std::byte> bytes_of(std::span<const std::uint8_t> data) {
  const auto bytes = std::as_bytes(data);
  return {bytes.begin(), bytes.end()};
}

// A grey PNG of one pixel, for the recipe to be about.
constexpr std::uint8_t kPixel[] = {
    137, 80, 78, 71, 13, 10, 26, 10,  0,   0,  0, 13, 73, 72, 68, 82, 0,  0,   0,   1,   0,  0,   0,
    1,   8,  0,  0,  0,  0,  58, 126, 155, 85, 0, 0,  0,  10, 73, 68, 65, 84,  120, 156, 99, 112, 0,
    0,   0,  66, 0,  65, 41, 55, 244, 239, 0,  0, 0,  0,  73, 69, 78, 68, 174, 66,  96,  130};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Kind& kind = kind_of(data[0]);
  MemoryFileSystem files;
  files.put("d/inputs.json", "{}");
  if (kind.file.ends_with(".json")) files.put("d/p.png", bytes_of(kPixel));
  files.put(kind.file, bytes_of(std::span(data + 1, size - 1)));
  const auto read = load_judging_data(files, "d", kind.model);
  if (!read) {
    if (read.error().message.find('\n') != std::string::npos) __builtin_trap();
    return 0;
  }
  for (const auto& sample : read->samples)
    if (!reference::check_inputs(kind.model, sample)) __builtin_trap();
  return 0;
}
