#include "calibrate/gradient/backward.h"

#include <algorithm>

#include "base/text.h"
#include "calibrate/batches.h"
#include "calibrate/gradient/gradient.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

// The gradients of values, by sample; of what all samples share one for all.
class Lost {
 public:
  Lost(const Graph& graph, std::size_t samples, Machine& machine)
      : graph_(graph), machine_(machine), of_(graph.values.size()), samples_(samples) {}

  bool is_shared(ValueId v) const {
    const NodeId producer = graph_.values[v].producer;
    return producer != kNone && reads_constants_alone(graph_, producer);
  }
  // Zeros at first.
  float* at(ValueId v, std::size_t sample, std::int64_t elements) {
    auto& all = of_[v];
    all.resize(samples_);
    std::optional<Scratch>& one = all[is_shared(v) ? 0 : sample];
    if (!one) {
      one.emplace(machine_, elements);
      std::fill_n(one->data(), elements, 0.0f);
    }
    return one->data();
  }
  const float* find(ValueId v, std::size_t sample) {
    if (v == kNone || of_[v].empty()) return nullptr;
    std::optional<Scratch>& one = of_[v][is_shared(v) ? 0 : sample];
    return one ? one->data() : nullptr;
  }
  void drop(ValueId v) { of_[v].clear(); }

 private:
  const Graph& graph_;
  Machine& machine_;
  std::vector<std::vector<std::optional<Scratch>>> of_;
  std::size_t samples_;
};

}  // namespace

Expected<Backward> Backward::find(const Model& model, const std::set<ValueId>& constants,
                                  const std::vector<bool>& outputs) {
  Backward found(model);
  const Graph& graph = found.graph_;
  found.depends_.assign(graph.values.size(), false);
  for (const ValueId v : constants) found.depends_[v] = true;
  for (const Node& node : graph.nodes) {
    const bool depends = std::ranges::any_of(
        node.inputs, [&](ValueId input) { return input != kNone && found.depends_[input]; });
    for (const ValueId output : node.outputs)
      if (depends && output != kNone && is_float(graph.values[output].dtype))
        found.depends_[output] = true;
  }
  std::vector<bool> reaches(graph.values.size(), false);
  for (std::size_t o = 0; o < graph.outputs.size(); ++o)
    if (outputs[o]) reaches[graph.outputs[o]] = found.depends_[graph.outputs[o]];
  found.counts_.assign(graph.nodes.size(), false);
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    const bool counts = std::ranges::any_of(
        node.outputs, [&](ValueId output) { return output != kNone && reaches[output]; });
    if (!counts) continue;
    found.counts_[n] = true;
    if (gradient_of(node) == nullptr)
      return fail("the gradient of {} is not known", describe(graph, static_cast<NodeId>(n)));
    for (const ValueId input : node.inputs)
      if (input != kNone && found.depends_[input]) reaches[input] = true;
  }
  for (const ValueId v : constants)
    if (reaches[v]) found.constants_.insert(v);
  return found;
}

Expected<void> Backward::run(Execution& done, std::size_t samples,
                             const std::vector<std::vector<std::vector<float>>>& lost,
                             ConstantGradients& into, Machine& machine) const {
  Lost found(graph_, samples, machine);
  for (std::size_t o = 0; o < graph_.outputs.size(); ++o) {
    const ValueId output = graph_.outputs[o];
    if (!depends_[output] || graph_.values[output].producer == kNone) continue;
    for (std::size_t s = 0; s < samples; ++s) {
      const std::vector<float>& numbers = lost[s][o];
      if (numbers.empty()) continue;
      float* const to = found.at(output, s, static_cast<std::int64_t>(numbers.size()));
      for (std::size_t i = 0; i < numbers.size(); ++i) to[i] += numbers[i];
    }
  }
  for (std::size_t n = graph_.nodes.size(); n-- > 0;) {
    if (!counts_[n]) continue;
    const auto id = static_cast<NodeId>(n);
    const Node& node = graph_.nodes[n];
    const bool shared = reads_constants_alone(graph_, id);
    for (std::size_t s = 0; s < (shared ? 1 : samples); ++s) {
      std::vector<const Tensor*> inputs, outputs;
      std::vector<const float*> lost_of;
      std::vector<float*> to;
      bool any = false;
      for (const ValueId output : node.outputs) {
        const std::span<Tensor> values = output == kNone ? std::span<Tensor>() : done.value(output);
        outputs.push_back(values.empty() ? nullptr : &values[s]);
        lost_of.push_back(found.find(output, s));
        any = any || lost_of.back() != nullptr;
      }
      if (!any) continue;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const ValueId v = node.inputs[i];
        SUBBYTE_TRY(const Tensor* const input, done.input(id, i, s));
        inputs.push_back(input);
        float* place = nullptr;
        if (v != kNone && depends_[v] && input != nullptr) {
          const auto constant = into.find(v);
          place =
              constant != into.end() ? constant->second.data() : found.at(v, s, input->elements());
        }
        to.push_back(place);
      }
      auto added = gradient_of(node)(GradientCall{node, inputs, outputs, lost_of, to}, machine);
      if (!added) return within(describe(graph_, id), std::move(added.error()));
    }
    for (const ValueId output : node.outputs) {
      if (output == kNone) continue;
      found.drop(output);
      for (Tensor& value : done.value(output)) value = Tensor{};
    }
  }
  return {};
}

}  // namespace subbyte::calibrate
