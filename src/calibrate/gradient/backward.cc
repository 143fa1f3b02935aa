#include "calibrate/gradient/backward.h"

#include <algorithm>

#include "base/text.h"
#include "calibrate/batches.h"
#include "calibrate/gradient/gradient.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
// The gradients of values, by sample; of what all samples share one for all.
class Backward::Pass::Lost {
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
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!found.counts_[n]) continue;
    for (const ValueId v : graph.nodes[n].inputs) {
      if (v == kNone || !found.constants_.contains(v)) continue;
      const auto id = static_cast<NodeId>(n);
      found.readers_.try_emplace(v, Readers{id, id}).first->second.last = id;
    }
  }
  return found;
}

Backward::Pass::Pass(const Backward& way, const std::vector<std::vector<std::vector<float>>>& lost,
                     Machine& machine)
    : way_(way),
      samples_(lost.size()),
      machine_(machine),
      lost_(std::make_unique<Lost>(way.graph_, samples_, machine)) {
  const Graph& graph = way.graph_;
  for (std::size_t o = 0; o < graph.outputs.size(); ++o) {
    const ValueId output = graph.outputs[o];
    if (!way.depends_[output] || graph.values[output].producer == kNone) continue;
    for (std::size_t s = 0; s < samples_; ++s) {
      const std::vector<float>& numbers = lost[s][o];
      if (numbers.empty()) continue;
      float* const to = lost_->at(output, s, static_cast<std::int64_t>(numbers.size()));
      for (std::size_t i = 0; i < numbers.size(); ++i) to[i] += numbers[i];
    }
  }
}

Backward::Pass::~Pass() = default;

Expected<void> Backward::Pass::run_node(Execution& done, NodeId id, std::size_t sample,
                                        ConstantGradients& into) {
  const Node& node = way_.graph_.nodes[id];
  std::vector<const Tensor*> inputs, outputs;
  std::vector<const float*> lost_of;
  std::vector<float*> to;
  bool any = false;
  for (const ValueId output : node.outputs) {
    const std::span<Tensor> values = output == kNone ? std::span<Tensor>() : done.value(output);
    outputs.push_back(values.empty() ? nullptr : &values[sample]);
    lost_of.push_back(lost_->find(output, sample));
    any = any || lost_of.back() != nullptr;
  }
  if (!any) return {};
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId v = node.inputs[i];
    SUBBYTE_TRY(const Tensor* const input, done.input(id, i, sample));
    inputs.push_back(input);
    float* place = nullptr;
    if (v != kNone && way_.depends_[v] && input != nullptr) {
      const auto constant = into.find(v);
      place = constant != into.end() ? constant->second.data()
                                     : lost_->at(v, sample, input->elements());
    }
    to.push_back(place);
  }
  auto added = gradient_of(node)(GradientCall{node, inputs, outputs, lost_of, to}, machine_);
  if (!added) return within(describe(way_.graph_, id), std::move(added.error()));
  return {};
}

Expected<void> Backward::Pass::run(Execution& done, NodeId first, NodeId end,
                                   ConstantGradients& into) {
  for (NodeId n = end; n-- > first;) {
    if (!way_.counts_[n]) continue;
    const bool shared = reads_constants_alone(way_.graph_, n);
    for (std::size_t s = 0; s < (shared ? 1 : samples_); ++s)
      SUBBYTE_CHECK_OK(run_node(done, n, s, into));
    for (const ValueId output : way_.graph_.nodes[n].outputs) {
      if (output == kNone) continue;
      lost_->drop(output);
      for (Tensor& value : done.value(output)) value = Tensor{};
    }
  }
  return {};
}

Expected<void> Backward::run(Execution& done, const LostOutputs& lost, ConstantGradients& into,
                             Machine& machine) const {
  Pass pass(*this, lost, machine);
  return pass.run(done, 0, static_cast<NodeId>(graph_.nodes.size()), into);
}

}  // namespace subbyte::calibrate
