// Any bytes are either an error or a model that can be written and read back as the same model. Run
// it with -rss_limit_mb=512: a small file must not make a large allocation.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/memory_file.h"
#include "emit/onnx/onnx.h"
#include "graph/text.h"
#include "import/onnx.h"

namespace {

using namespace subbyte;

// Written and read back, or "" where the writer refuses (strings, unknown dtypes).
std::string rewrite(MemoryFileSystem& files, const Model& model) {
  OnnxSink sink(files, "out/m.onnx", true);
  if (!write_onnx(sink, "m.onnx", model, {}, kLargestProtobuf)) return "";
  return files.text("out/m.onnx");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  MemoryFileSystem files;
  files.put("models/w.bin", std::string(64, 'w'));
  const Bytes bytes = std::as_bytes(std::span(data, size));
  const auto model = parse_onnx(files, bytes, "models", "fuzz.onnx", nullptr);
  if (!model) {
    if (model.error().message.empty()) std::abort();
    return 0;
  }
  if (!verify(*model)) std::abort();
  // Older nodes are not yet in the form that is written.
  if (model->opset < 18) return 0;
  const std::string once = rewrite(files, *model);
  if (once.empty()) return 0;
  const auto back = read_onnx(files, "out/m.onnx");
  if (!back || rewrite(files, *back) != once) std::abort();
  return 0;
}
