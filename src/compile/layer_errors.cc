#include "compile/layer_errors.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "graph/ops.h"

namespace subbyte {

namespace {

// The elements of what they read, in another order, shape or dtype.
bool hands_on(Op op) {
  return is_view(op) || op == Op::Transpose || op == Op::Cast || op == Op::Expand;
}

// The weight of the module that a value is, or a view of one.
const ModuleWeight* weight_of(const Graph& graph, ValueId value,
                              const std::unordered_map<ValueId, const ModuleWeight*>& weights) {
  while (value != kNone) {
    const auto found = weights.find(value);
    if (found != weights.end()) return found->second;
    const NodeId producer = graph.values[value].producer;
    if (producer == kNone || !hands_on(graph.nodes[producer].op)) break;
    value = graph.nodes[producer].inputs.empty() ? kNone : graph.nodes[producer].inputs[0];
  }
  return nullptr;
}

// The largest matrix among the weights that the node reads: biases and scales come with it.
const ModuleWeight* matrix_of(const Graph& graph, const Node& node,
                              const std::unordered_map<ValueId, const ModuleWeight*>& weights) {
  const ModuleWeight* largest = nullptr;
  for (const ValueId input : node.inputs) {
    const ModuleWeight* weight = weight_of(graph, input, weights);
    if (weight == nullptr || weight->shape.size() < 2) continue;
    if (largest == nullptr || weight->rows * weight->k > largest->rows * largest->k)
      largest = weight;
  }
  return largest;
}

// A result with its bias, where an Add of a constant is all that reads it: calibration mends one by
// the other.
ValueId with_bias(const Graph& graph, const Uses& uses, ValueId result) {
  if (uses.count(result) != 1 || uses.readers[result].size() != 1) return result;
  const Node& add = graph.nodes[uses.readers[result][0]];
  if (add.op != Op::Add) return result;
  const bool constant =
      graph.constant(add.inputs[0]) != nullptr || graph.constant(add.inputs[1]) != nullptr;
  return constant ? add.outputs[0] : result;
}

}  // namespace

LayerErrors::LayerErrors(const Graph& graph,
                         const std::unordered_map<ValueId, const ModuleWeight*>& weights)
    : graph_(graph) {
  const Uses uses = find_uses(graph);
  std::unordered_map<ValueId, std::size_t> computed;
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    // What reads a layer's output comes after it.
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const auto layer = computed.find(node.inputs[i]);
      if (layer == computed.end()) continue;
      read_at_[n].emplace_back(layer->second, i);
      computed.erase(layer);
    }
    if (hands_on(node.op) || node.outputs.empty() || node.outputs[0] == kNone) continue;
    const ModuleWeight* weight = matrix_of(graph, node, weights);
    if (weight == nullptr || !is_float(graph.values[node.outputs[0]].dtype)) continue;
    const ValueId output = with_bias(graph, uses, node.outputs[0]);
    computed.emplace(output, layers_.size());
    layers_.push_back({n, weight, output});
  }
  for (std::size_t output = 0; output < graph.outputs.size(); ++output) {
    const auto layer = computed.find(graph.outputs[output]);
    if (layer == computed.end()) continue;
    given_as_.emplace_back(layer->second, output);
    computed.erase(layer);
  }
  kept_.resize(layers_.size());
}

template <typename See>
LayerErrors::Observe LayerErrors::at_places(See see) {
  return [this, see](NodeId node, std::size_t, std::span<const Tensor* const> inputs) {
    const auto places = read_at_.find(node);
    if (places == read_at_.end()) return;
    for (const auto& [layer, input] : places->second)
      if (input < inputs.size() && inputs[input] != nullptr) see(layer, *inputs[input]);
  };
}

LayerErrors::Observe LayerErrors::keep() {
  // Of its own bytes: the executor uses them again.
  return at_places([this](std::size_t layer, const Tensor& tensor) {
    kept_[layer] = make_tensor(tensor.dtype, tensor.dims, {tensor.data.begin(), tensor.data.end()});
  });
}

LayerErrors::Observe LayerErrors::compare() {
  return at_places([this](std::size_t layer, const Tensor& tensor) {
    layers_[layer].error.add(kept_[layer], tensor);
    kept_[layer] = {};
  });
}

void LayerErrors::keep_outputs(std::span<const Tensor> outputs) {
  for (const auto& [layer, output] : given_as_) kept_[layer] = outputs[output];
}

void LayerErrors::compare_outputs(std::span<const Tensor> outputs) {
  for (const auto& [layer, output] : given_as_) {
    layers_[layer].error.add(kept_[layer], outputs[output]);
    kept_[layer] = {};
  }
}

std::vector<LayerFigures> LayerErrors::figures() const {
  std::vector<LayerFigures> figures;
  for (const Layer& layer : layers_) {
    const Node& node = graph_.nodes[layer.node];
    LayerFigures one;
    one.node = valid_utf8(node.name);
    one.op = valid_utf8(node.op_type);
    one.weight = layer.weight->name;
    one.component = layer.weight->component;
    one.layer = layer.weight->layer;
    one.bits = layer.weight->bits;
    one.bytes = layer.weight->bytes;
    one.relative_l2 = layer.error.relative();
    one.sqnr_db = layer.error.sqnr_db();
    figures.push_back(std::move(one));
  }
  return figures;
}

}  // namespace subbyte
