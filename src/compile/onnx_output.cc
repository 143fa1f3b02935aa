#include "compile/onnx_output.h"

#include <fmt/format.h>

#include <algorithm>

#include "emit/check.h"
#include "emit/onnx/onnx.h"
#include "emit/quantized_nodes.h"

namespace subbyte {

namespace {

std::string nodes_text(const QuantizedModel& nodes, std::int64_t parameters) {
  std::string text;
  const auto add = [&](const std::string& phrase) { text += (text.empty() ? "" : "; ") + phrase; };
  for (const auto& [wider, count] : nodes.wider) {
    add(fmt::format("{} {} of {} bits {} the bytes of {}, the fewest that {} nodes hold", count,
                    count == 1 ? "weight" : "weights", wider.bits, count == 1 ? "takes" : "take",
                    wider.held_in, wider.held_in == 4 ? "MatMulNBits" : "DequantizeLinear"));
  }
  if (nodes.kept_float > 0) {
    add(
        fmt::format("{} weights stay float32 ({:.1f} % of the parameters), for no node holds them "
                    "exactly",
                    nodes.kept_float,
                    100 * static_cast<double>(nodes.kept_float_parameters) /
                        static_cast<double>(std::max<std::int64_t>(parameters, 1))));
  }
  return text;
}

}  // namespace

Expected<CompileResult> write_onnx_output(const Model& model, const WeightPlan& weights,
                                          bool quantized_nodes, const Output& output,
                                          Observer& observer,
                                          const std::function<Expected<void>()>& cancelled) {
  CompileResult result;
  for (const auto& [value, weight] : weights.stored) result.parameters += weight.rows * weight.k;
  std::int64_t done = 0;
  const auto progress = [&](const StoredWeight& weight) -> Expected<void> {
    done += stored_bytes(weight);
    observer.progress_bytes("quantizing", done, stored_bytes(weights));
    return cancelled();
  };
  QuantizedModel nodes;
  if (quantized_nodes) {
    SUBBYTE_TRY(nodes, with_quantized_nodes(model, weights.stored, progress));
    result.in_nodes = nodes_text(nodes, result.parameters);
    done = 0;
  }
  const Model& written = quantized_nodes ? nodes.model : model;
  const WeightSource decoded = [&](ValueId v) -> Expected<Tensor> {
    const auto it = weights.stored.find(v);
    if (it == weights.stored.end()) return *written.main().values[v].constant;
    SUBBYTE_CHECK_OK(progress(it->second));
    return decoded_weight(model, it->second);
  };
  SUBBYTE_TRY(result.bytes, write_onnx(*output.sink, output.name, written, decoded));
  if (result.parameters > 0) {
    result.bits_per_weight =
        static_cast<double>(result.bytes) * 8 / static_cast<double>(result.parameters);
  }
  return result;
}

}  // namespace subbyte
