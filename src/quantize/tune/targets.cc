#include "quantize/tune/targets.h"

#include <utility>

namespace subbyte::tune {
namespace {

std::int64_t bytes_of(const Tensor& tensor) {
  return static_cast<std::int64_t>(tensor.data.size());
}

}  // namespace

std::vector<Tensor> counted_outputs(const Graph& graph, const std::vector<bool>& counts,
                                    Execution& run, std::size_t sample) {
  std::vector<Tensor> outputs(graph.outputs.size());
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    const std::span<Tensor> values = run.value(graph.outputs[o]);
    if (counts[o] && !values.empty()) outputs[o] = values[sample];
  }
  return outputs;
}

Targets::Targets(const Model& model, std::vector<bool> counts, std::span<const Sample> samples,
                 ExecuteOptions options, NodeId rest, std::int64_t memory)
    : model_(model),
      counts_(std::move(counts)),
      samples_(samples),
      options_(std::move(options)),
      rest_(rest),
      memory_(memory),
      kept_(samples.size()) {}

// Of what is alive in a run.
std::int64_t Targets::bytes_of(Execution& run) const {
  std::int64_t bytes = 0;
  for (ValueId v = 0; v < model_.main().values.size(); ++v)
    for (const Tensor& tensor : run.value(v)) bytes += tune::bytes_of(tensor);
  return bytes;
}

Expected<std::vector<Tensor>> Targets::of(std::size_t sample) {
  std::optional<Kept>& kept = kept_[sample];
  if (kept && rest_ == 0) return kept->outputs;
  const std::span<const Sample> given = samples_.subspan(sample, 1);
  if (kept) {
    auto run = Execution::resume(model_, given, *kept->values, options_);
    while (run.next() < model_.main().nodes.size()) SUBBYTE_CHECK_OK(run.step());
    return counted_outputs(model_.main(), counts_, run, 0);
  }
  ExecuteOptions passing = options_;
  passing.wants_outputs = rest_ == 0;
  SUBBYTE_TRY(auto run, Execution::begin(model_, given, std::move(passing)));
  while (run.next() < rest_) SUBBYTE_CHECK_OK(run.step());
  Kept fresh{.values = rest_ == 0 ? nullptr : run.values()};
  std::int64_t bytes = rest_ == 0 ? 0 : bytes_of(run);
  auto rest = run.fork(options_);
  while (rest.next() < model_.main().nodes.size()) SUBBYTE_CHECK_OK(rest.step());
  std::vector<Tensor> outputs = counted_outputs(model_.main(), counts_, rest, 0);
  if (rest_ == 0) {
    fresh.outputs = outputs;
    for (const Tensor& output : outputs) bytes += tune::bytes_of(output);
  }
  if (bytes > memory_) return outputs;
  memory_ -= bytes;
  kept.emplace(std::move(fresh));
  return outputs;
}

}  // namespace subbyte::tune
