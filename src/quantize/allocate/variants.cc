#include "quantize/allocate/variants.h"

#include "quantize/allocate/loss.h"
#include "quantize/fit/output_shift.h"
#include "samples/written_text.h"

namespace subbyte::allocate {

float share_of_biases(const Model& model) {
  return find_language_model(model, input_contents(model)) ? 0 : 1;
}

void correct_bias(const Graph& graph, const std::map<ValueId, StoredWeight>& stored, NodeId n,
                  std::span<const std::size_t> kinds, float share, Execution& exact,
                  Execution& found) {
  if (share == 0 || !fit::can_shift(graph, stored, n)) return;
  const ValueId result = graph.nodes[n].outputs[0];
  const std::span<Tensor> wanted = exact.value(result);
  if (wanted.empty()) return;
  const auto axis = fit::channel_axis(graph.nodes[n], wanted[0].dims.size());
  if (!axis) return;
  fit::Shift shift = fit::mean_shift(wanted, found.value(result), kinds, *axis);
  for (float& value : shift) value *= share;
  if (shift.size() >= 2) fit::add_shift(found.value(result), *axis, shift);
}

Expected<ComparedOutputs> outputs_of(const Model& model, std::span<const WeightPlan* const> plans,
                                     std::span<const Sample> samples, RoundedWeights& rounded,
                                     const RunOptions& options) {
  const Graph& graph = model.main();
  const ExecuteOptions plain{.threads = options.threads, .cancelled = options.cancelled};
  SUBBYTE_TRY(auto exact, Execution::begin(model, samples, plain));
  const float share = share_of_biases(model);
  std::vector<Execution> runs;
  for (const WeightPlan* plan : plans) {
    ExecuteOptions with = plain;
    with.replace = [plan, &rounded](ValueId v) -> Expected<std::optional<Tensor>> {
      const auto stored = plan->stored.find(v);
      if (stored == plan->stored.end()) return std::nullopt;
      return rounded.find(stored->second);
    };
    runs.push_back(exact.fork(std::move(with)));
  }
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    SUBBYTE_CHECK_OK(exact.step());
    for (std::size_t p = 0; p < plans.size(); ++p) {
      SUBBYTE_CHECK_OK(runs[p].step());
      correct_bias(graph, plans[p]->stored, n, options.kinds, share, exact, runs[p]);
    }
  }
  ComparedOutputs outputs;
  SUBBYTE_TRY(outputs.exact, exact.outputs());
  for (Execution& run : runs) {
    SUBBYTE_TRY(Outputs found, run.outputs());
    outputs.found.push_back(std::move(found));
  }
  return outputs;
}

Expected<std::vector<double>> losses_of(const Model& model,
                                        std::span<const WeightPlan* const> plans,
                                        std::span<const Sample> samples, RoundedWeights& rounded,
                                        const RunOptions& options) {
  SUBBYTE_TRY(const auto outputs, outputs_of(model, plans, samples, rounded, options));
  const auto contents = output_contents(model);
  std::vector<double> losses;
  for (const Outputs& found : outputs.found)
    losses.push_back(output_loss_of(contents, outputs.exact, found, options.kinds));
  return losses;
}

}  // namespace subbyte::allocate
