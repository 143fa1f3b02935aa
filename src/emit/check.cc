#include "emit/check.h"

#include <fmt/core.h>

#include <unordered_map>

#include "base/text.h"
#include "calibrate/executor.h"
#include "graph/ops.h"
#include "quantize/pack_weight.h"
#include "reference/reference.h"
#include "samples/made_samples.h"
#include "samples/output_content.h"
#include "samples/output_loss.h"

namespace subbyte {

Expected<Tensor> decoded_weight(const Model& model, const StoredWeight& stored) {
  const Value& value = model.main().values[stored.value];
  if (std::holds_alternative<IntegerEncoding>(stored.encoding)) return *value.constant;
  const bool own = std::holds_alternative<ElementsOfConstant>(stored.source);
  if (const auto* f = std::get_if<FloatEncoding>(&stored.encoding); own && f && f->bits == 32)
    return *value.constant;
  SUBBYTE_TRY(const PackedMatrix matrix, pack_weight(model, stored));
  const Tensor floats = unpacked_tensor(matrix, stored.order, value.constant->dims);
  if (value.dtype == DType::float32) return floats;
  // A model of halves or doubles keeps its dtype; halves round once more.
  Node cast;
  cast.op = Op::Cast;
  cast.op_type = "Cast";
  cast.attributes.push_back(Attribute{"to", static_cast<std::int64_t>(value.dtype)});
  const Tensor* const inputs[] = {&floats};
  SUBBYTE_TRY(std::vector<Tensor> converted, reference::evaluate(cast, inputs));
  return std::move(converted.front());
}

Expected<Checker> Checker::begin(const Model& model, const CheckOptions& options) {
  Checker checker(model, options);
  std::int64_t parameters = 0;
  for (const Value& value : model.main().values)
    if (value.constant && is_float(value.dtype)) parameters += value.constant->elements();
  if (parameters > kMaxCheckedParameters && !options.whatever_size) {
    checker.skipped_ = fmt::format(
        "the model has {} parameters, more than the {} that are run without being asked; "
        "--check runs it",
        parameters, kMaxCheckedParameters);
    return checker;
  }
  checker.samples_ = options.given;
  checker.made_of_ = options.given_are;
  if (options.given.empty()) {
    SampleOptions making;
    making.seed = options.seed;
    making.tuning = 0;
    making.held_out = options.samples;
    making.work = kMostCheckWork;
    making.cancelled = options.cancelled;
    auto made = make_samples(model, making);
    if (!made) {
      if (made.error().kind == ErrorKind::cancelled) return tl::unexpected(std::move(made.error()));
      checker.skipped_ = fmt::format("the model cannot be run here: {}", made.error().message);
      return checker;
    }
    checker.samples_ = std::move(made->held_out);
    checker.made_of_ = std::move(made->made_of);
  }
  ExecuteOptions running;
  running.cancelled = options.cancelled;
  auto expected = execute(model, checker.samples_, running);
  if (!expected) {
    if (expected.error().kind == ErrorKind::cancelled) return tl::unexpected(expected.error());
    checker.skipped_ = fmt::format("the model cannot be run here: {}", expected.error().message);
    return checker;
  }
  checker.expected_ = std::move(*expected);
  return checker;
}

Expected<Check> Checker::compare(std::span<const StoredWeight> weights) const {
  Check check;
  check.skipped = skipped_;
  if (!skipped_.empty()) return check;
  std::unordered_map<ValueId, const StoredWeight*> stored;
  for (const auto& weight : weights) stored.emplace(weight.value, &weight);
  ExecuteOptions running;
  running.cancelled = cancelled_;
  running.replace = [&](ValueId value) -> Expected<std::optional<Tensor>> {
    const auto weight = stored.find(value);
    if (weight == stored.end()) return std::nullopt;
    return decoded_weight(*model_, *weight->second);
  };
  const auto found = execute(*model_, samples_, running);
  if (!found) return within("the quantized model", found.error());
  const Graph& graph = model_->main();
  check.samples = samples_.size();
  check.made_of = made_of_;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i)
    check.inputs.emplace_back(graph.values[graph.inputs[i]].name, samples_.front()[i].dims);
  const std::vector<OutputContent> contents = output_contents(*model_);
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    std::vector<Tensor> a, b;
    for (std::size_t s = 0; s < samples_.size(); ++s) {
      a.push_back(expected_[s][i]);
      b.push_back((*found)[s][i]);
    }
    check.outputs.push_back(
        {graph.values[graph.outputs[i]].name, contents[i], output_loss(contents[i], a, b)});
  }
  return check;
}

Expected<Check> check_quantization(const Model& model, std::span<const StoredWeight> weights,
                                   const CheckOptions& options) {
  SUBBYTE_TRY(const Checker checker, Checker::begin(model, options));
  return checker.compare(weights);
}

}  // namespace subbyte
