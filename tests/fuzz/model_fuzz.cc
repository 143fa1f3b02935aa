// Any bytes as an ONNX file: import, every pass and lowering end in a model or in an error, never
// in a fault.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "base/memory_file.h"
#include "graph/infer.h"
#include "graph/text.h"
#include "import/onnx.h"
#include "passes/passes.h"
#include "plan/lower.h"
#include "plan/plan_json.h"

namespace {

void convert(subbyte::Bytes bytes) {
  subbyte::MemoryFileSystem files;
  auto model = subbyte::parse_onnx(files, bytes, ".", "fuzz.onnx", nullptr);
  if (!model) return;
  if (!subbyte::verify(*model)) __builtin_trap();
  if (!subbyte::check_supported(*model)) return;
  if (!subbyte::infer(*model)) return;
  if (!subbyte::run_passes(*model, subbyte::standard_passes())) return;
  if (!subbyte::verify(*model)) __builtin_trap();
  if (!subbyte::run_passes(*model, subbyte::fusion_passes())) return;
  if (!subbyte::verify(*model)) __builtin_trap();
  subbyte::to_text(*model);
  const auto plan = subbyte::lower(*model, {});
  if (!plan) return;
  subbyte::plan_json(*model, *plan, subbyte::WeightPlaces(plan->weights.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  convert(std::as_bytes(std::span(data, size)));
  return 0;
}
