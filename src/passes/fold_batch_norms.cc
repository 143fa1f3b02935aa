// Batch normalisations, and per-channel arithmetic with constants, become part of the weights and
// the bias of the product that they stand after or before.
#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/grid.h"
#include "graph/node_form.h"
#include "graph/ops.h"
#include "passes/channel_fold.h"
#include "passes/compact.h"
#include "passes/passes.h"
#include "passes/spell_out.h"
#include "reference/call.h"

namespace subbyte {
namespace {

bool is_convolution(const Node& node) {
  return node.op == Op::Conv || node.op == Op::ConvTranspose;
}
bool is_product(const Node& node) {
  return is_convolution(node) || node.op == Op::Gemm || node.op == Op::MatMul;
}

// The weights of a product as blocks: element [outer, channel, inner] belongs to that output
// channel. The outer axis of a ConvTranspose is divided among its groups, each of which has
// channels of its own.
struct Channels {
  std::int64_t outer = 1, per_group = 1, inner = 1;
  std::int64_t groups = 1;

  std::int64_t count() const { return groups * per_group; }
  std::size_t of(std::size_t i) const {
    // All sizes are above 0 where there is an element.
    const auto row_of_channels = std::max<std::int64_t>(per_group, 1);
    const std::int64_t row = static_cast<std::int64_t>(i) / std::max<std::int64_t>(inner, 1);
    const std::int64_t group = row / row_of_channels / std::max<std::int64_t>(outer / groups, 1);
    return static_cast<std::size_t>(group * per_group + row % row_of_channels);
  }
};

std::optional<Channels> output_channels(const Node& node, const Tensor& weights) {
  const auto& dims = weights.dims;
  const auto size = [&](std::size_t first, std::size_t last) {
    return reference::product(dims, first, last);
  };
  if (weights.data.empty() || dims.size() < 2) return std::nullopt;
  if (node.op == Op::Conv) return Channels{1, dims[0], size(1, dims.size())};
  if (node.op == Op::ConvTranspose)
    return Channels{dims[0], dims[1], size(2, dims.size()), node.int_or("group", 1)};
  if (node.op == Op::Gemm && node.int_or("transB", 0) != 0) return Channels{1, dims[0], dims[1]};
  return Channels{size(0, dims.size() - 1), dims.back(), 1};
}

// Of each value whether it is computed from the model's inputs without a product or a normalisation
// between.
std::vector<bool> near_inputs(const Graph& graph) {
  std::vector<bool> near(graph.values.size(), false);
  for (const ValueId input : graph.inputs) near[input] = true;
  for (const Node& node : graph.nodes) {
    if (is_product(node) || node.op == Op::LayerNormalization || node.op == Op::RMSNormalization)
      continue;
    bool all = true, any = false;
    for (const ValueId input : node.inputs) {
      if (input == kNone || graph.constant(input) != nullptr) continue;
      all = all && near[input];
      any = true;
    }
    for (const ValueId output : node.outputs)
      if (output != kNone) near[output] = all && any;
  }
  return near;
}

class Folder {
 public:
  explicit Folder(Model& model)
      : exprs_(model.exprs),
        graph_(model.main()),
        uses_(find_uses(graph_)),
        near_inputs_(near_inputs(graph_)),
        constants_(exprs_, graph_),
        keep_(graph_.nodes.size(), true) {}

  void run() {
    for (NodeId id = 0; id < graph_.nodes.size(); ++id)
      if (keep_[id] && is_product(graph_.nodes[id])) fold_after(id);
    for (NodeId id = 0; id < graph_.nodes.size(); ++id)
      if (keep_[id] && graph_.nodes[id].op == Op::Conv) fold_before(id);
    compact(graph_, keep_, std::vector<bool>(graph_.values.size(), true));
  }

 private:
  std::optional<std::size_t> rank(ValueId value) const {
    const auto& shape = graph_.values[value].shape;
    return shape ? std::optional(shape->size()) : std::nullopt;
  }

  // The only reader of what a node computes, or kNone.
  NodeId only_reader(ValueId value) const {
    return value < uses_.readers.size() && uses_.count(value) == 1 && uses_.outputs[value] == 0
               ? uses_.readers[value][0]
               : kNone;
  }

  // Constants that this pass has made are read once.
  bool is_shared(ValueId constant) const {
    return constant < uses_.readers.size() && uses_.count(constant) != 1;
  }

  bool has_weights(const Node& node) const {
    const Tensor* weights = graph_.constant(node.inputs[1]);
    // Weights that arrived quantized stay on their grid.
    return weights != nullptr && is_float(weights->dtype) && !has_grid(*weights) &&
           !sums_integers(node) &&
           (!node.has_input(2) || graph_.constant(node.inputs[2]) != nullptr);
  }

  // The bias of a product for each channel; nullopt where it is something else.
  std::optional<std::vector<double>> bias_of(const Node& node, std::size_t channels) const {
    if (!node.has_input(2)) return std::vector<double>(channels, 0);
    const Tensor& bias = *graph_.constant(node.inputs[2]);
    const auto count = static_cast<std::int64_t>(channels);
    if (bias.elements() != 1 &&
        (bias.dims.empty() || bias.dims.back() != count || bias.elements() != count))
      return std::nullopt;
    std::vector<double> values = reference::read_doubles(bias);
    if (values.size() == 1) values.assign(channels, values[0]);
    // Gemm multiplies it by beta.
    for (double& value : values)
      value *= node.op == Op::Gemm ? static_cast<double>(node.float_or("beta", 1.0f)) : 1.0;
    return values;
  }

  // Writes the values in the place of a constant that `node` reads as input i, or beside it where
  // something else reads it too. What is defined by an operator stays so, scaled or moved.
  void set_floats(Node& node, std::size_t i, std::string_view what, DType dtype,
                  std::vector<std::int64_t> dims, std::span<const double> values,
                  bool is_defined = false) {
    Tensor tensor = reference::tensor_from(dtype, std::move(dims), values);
    const ValueId old = node.has_input(i) ? node.inputs[i] : kNone;
    if (old == kNone || is_shared(old)) {
      const ValueId made = constants_.add(node, what, std::move(tensor));
      graph_.values[made].is_defined =
          is_defined || (old != kNone && graph_.values[old].is_defined);
      set_input(node, i, made);
      return;
    }
    Value& value = graph_.values[old];
    value.shape.emplace();
    for (const std::int64_t dim : tensor.dims) value.shape->push_back(exprs_.constant(dim));
    value.constant = std::move(tensor);
    value.is_defined = value.is_defined || is_defined;
  }

  bool reads_defined(const Node& node) const {
    return std::ranges::any_of(node.inputs, [&](ValueId input) {
      return input != kNone && graph_.values[input].constant && graph_.values[input].is_defined;
    });
  }

  // The weights with each channel multiplied by its scale.
  std::vector<double> scaled_weights(const Node& node, const Channels& channels,
                                     const std::vector<double>& scale) const {
    std::vector<double> values = reference::read_doubles(*graph_.constant(node.inputs[1]));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= scale[channels.of(i)];
    return values;
  }

  // Whether weights and bias can be written back.
  bool fits(const Node& node, std::span<const double> weights, std::span<const double> bias) const {
    const DType dtype = graph_.constant(node.inputs[1])->dtype;
    const double most = dtype == DType::float16   ? 65504
                        : dtype == DType::float64 ? std::numeric_limits<double>::max()
                                                  : std::numeric_limits<float>::max();
    const auto inside = [&](double v) { return std::fabs(v) <= most; };
    return std::ranges::all_of(weights, inside) && std::ranges::all_of(bias, inside);
  }

  void set_weights(Node& node, std::span<const double> values) {
    const Tensor& weights = *graph_.constant(node.inputs[1]);
    set_floats(node, 1, "weights", weights.dtype, weights.dims, values);
  }

  void set_bias(Node& node, std::vector<double> bias, bool is_defined) {
    remove_attribute(node, "beta");
    const DType dtype = graph_.values[node.inputs[1]].dtype;
    set_floats(node, 2, "bias", dtype, {static_cast<std::int64_t>(bias.size())}, bias, is_defined);
  }

  // `last` computes nothing any more: `node` gives what it gave.
  void take_over(Node& node, NodeId from, ValueId last) {
    graph_.values[node.outputs[0]].producer = kNone;
    node.outputs[0] = last;
    graph_.values[last].producer = from;
  }

  // The nodes after a product that are arithmetic of its channels, as one.
  struct Chain {
    Affine affine{{1}, {0}};
    std::vector<NodeId> nodes;
    ValueId last = kNone;
    bool is_defined = false;  // one of its constants is
  };

  Chain chain_after(ValueId value, std::size_t axis) const {
    Chain chain;
    chain.last = value;
    for (;;) {
      const NodeId reader = only_reader(chain.last);
      const auto of = rank(chain.last);
      if (reader == kNone || !of || axis >= *of) return chain;
      const Node& node = graph_.nodes[reader];
      const auto next = affine_of(graph_, node, chain.last, *of, axis);
      // Its result must not be wider than what goes in.
      if (!next || rank(node.outputs[0]) != of) return chain;
      const auto both = chain.affine.then(*next);
      if (!both) return chain;
      chain.affine = *both;
      chain.nodes.push_back(reader);
      chain.is_defined = chain.is_defined || reads_defined(node);
      chain.last = node.outputs[0];
    }
  }

  void fold_after(NodeId id) {
    Node& node = graph_.nodes[id];
    if (!has_weights(node)) return;
    const auto channels = output_channels(node, *graph_.constant(node.inputs[1]));
    const auto of = rank(node.outputs[0]);
    if (!channels || !of || *of < 1) return;
    // Weights that something else reads, an embedding or another level's head, are kept once.
    if (is_shared(node.inputs[1])) return;
    const Chain chain = chain_after(node.outputs[0], is_convolution(node) ? 1 : *of - 1);
    const auto count = static_cast<std::size_t>(channels->count());
    const auto affine = chain.affine.over(count);
    const auto bias = bias_of(node, count);
    if (chain.nodes.empty() || !affine || !bias) return;
    if (node.op == Op::MatMul) {
      fold_into_matmul(id, *channels, chain, *affine);
      return;
    }
    std::vector<double> moved = affine->offset;
    for (std::size_t c = 0; c < count; ++c) moved[c] += affine->scale[c] * (*bias)[c];
    const std::vector<double> weights = scaled_weights(node, *channels, affine->scale);
    if (!fits(node, weights, moved)) return;
    set_weights(node, weights);
    if (node.has_input(2) || affine->has_offset())
      set_bias(node, std::move(moved), chain.is_defined);
    take_over(node, id, chain.last);
    for (const NodeId gone : chain.nodes) keep_[gone] = false;
  }

  // MatMul has no bias: the last node of the chain becomes the addition that remains.
  void fold_into_matmul(NodeId id, const Channels& channels, const Chain& chain,
                        const Affine& affine) {
    const bool scales = std::ranges::any_of(affine.scale, [](double s) { return s != 1; });
    if (!scales && chain.nodes.size() < 2) return;
    Node& node = graph_.nodes[id];
    const std::vector<double> weights = scaled_weights(node, channels, affine.scale);
    if (!fits(node, weights, affine.offset)) return;
    set_weights(node, weights);
    for (const NodeId gone : chain.nodes) keep_[gone] = false;
    if (!affine.has_offset()) {
      take_over(node, id, chain.last);
      return;
    }
    const DType dtype = graph_.values[node.inputs[1]].dtype;
    Node& last = graph_.nodes[chain.nodes.back()];
    const ValueId offset = constants_.add(
        last, "bias", reference::tensor_from(dtype, {channels.count()}, affine.offset));
    graph_.values[offset].is_defined = chain.is_defined;
    const ValueId product = node.outputs[0];
    last.op = Op::Add;
    last.op_type = "Add";
    last.attributes.clear();
    last.inputs = {product, offset};
    keep_[chain.nodes.back()] = true;
  }

  // What stands before a convolution scales its weights; an offset becomes bias, where it does not
  // meet padding, which is 0 whatever the offset is, and where it is not the mean of an input: that
  // may be thousands of times the deviation, and what it cancels exactly before the weights would
  // be left of them once they are rounded.
  void fold_before(NodeId id) {
    while (fold_one_before(id)) {
    }
  }

  bool fold_one_before(NodeId id) {
    Node& node = graph_.nodes[id];
    const ValueId x = node.inputs[0];
    const NodeId producer = graph_.values[x].producer;
    if (producer == kNone || only_reader(x) != id || !has_weights(node) || !rank(x)) return false;
    if (is_shared(node.inputs[1])) return false;
    const Node& before = graph_.nodes[producer];
    const Tensor& weights = *graph_.constant(node.inputs[1]);
    const auto affine = affine_before(before, x, *rank(x));
    const std::int64_t groups = node.int_or("group", 1);
    if (!affine || weights.data.empty() || groups < 1) return false;
    const auto in = static_cast<std::size_t>(weights.dims[1]);
    const auto all = affine->second.over(in * static_cast<std::size_t>(groups));
    const auto bias = bias_of(node, static_cast<std::size_t>(weights.dims[0]));
    if (!all || !bias) return false;
    if (all->has_offset() && (is_padded(node) || near_inputs_[affine->first])) return false;

    std::vector<double> values = reference::read_doubles(weights);
    std::vector<double> moved = *bias;
    const std::size_t taps = values.size() / (moved.size() * in);
    const std::size_t per_group = moved.size() / static_cast<std::size_t>(groups);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t m = i / (taps * in), c = m / per_group * in + i / taps % in;
      moved[m] += values[i] * all->offset[c];
      values[i] *= all->scale[c];
    }
    if (!fits(node, values, moved)) return false;
    const bool needs_bias = node.has_input(2) || all->has_offset();
    set_weights(node, values);
    if (needs_bias) set_bias(node, std::move(moved), reads_defined(before));
    node.inputs[0] = affine->first;
    std::ranges::replace(uses_.readers[affine->first], producer, id);
    keep_[producer] = false;
    graph_.values[x].producer = kNone;
    return true;
  }

  // The node's data input and what it makes of it.
  std::optional<std::pair<ValueId, Affine>> affine_before(const Node& before, ValueId result,
                                                          std::size_t of) const {
    for (const ValueId data : before.inputs) {
      if (data == kNone || graph_.constant(data) != nullptr || rank(data) != of) continue;
      if (auto affine = affine_of(graph_, before, data, of, 1);
          affine && graph_.values[data].shape == graph_.values[result].shape)
        return std::pair(data, std::move(*affine));
    }
    return std::nullopt;
  }

  static bool is_padded(const Node& node) {
    const std::string_view automatic = node.string_or("auto_pad", "NOTSET");
    if (automatic == "VALID") return false;
    if (automatic != "NOTSET" && !automatic.empty()) return true;
    const auto pads = node.ints("pads");
    return pads && std::ranges::any_of(*pads, [](std::int64_t pad) { return pad != 0; });
  }

  ExprPool& exprs_;
  Graph& graph_;
  Uses uses_;
  std::vector<bool> near_inputs_;
  ConstantMaker constants_;
  std::vector<bool> keep_;
};

// What could not be folded: x * scale + offset.
Expected<bool> spell_batch_normalization(Speller& s) {
  const Node& node = s.node();
  if (node.op != Op::BatchNormalization || !s.rank() || !is_float(s.dtype())) return false;
  std::vector<std::int64_t> shape(std::max<std::size_t>(*s.rank(), 2) - 1, 1);
  shape[0] = -1;
  if (const auto affine = batch_normalization_affine(s.graph(), node)) {
    shape[0] = static_cast<std::int64_t>(affine->scale.size());
    const ValueId scaled =
        s.add(Op::Mul, "scaled", {s.input(0), s.floats("scale", shape, affine->scale)});
    s.finish(Op::Add, {scaled, s.floats("offset", shape, affine->offset)});
    return true;
  }
  const ValueId moved =
      s.add(Op::Add, "moved", {s.input(4), s.number("epsilon", node.float_or("epsilon", 1e-5f))});
  const ValueId deviation = s.add(Op::Sqrt, "deviation", {moved});
  const ValueId scale = s.add(Op::Div, "scale", {s.input(1), deviation});
  const ValueId mean = s.add(Op::Mul, "mean", {s.input(3), scale});
  const ValueId offset = s.add(Op::Sub, "offset", {s.input(2), mean});
  const ValueId scaled =
      s.add(Op::Mul, "scaled", {s.input(0), s.reshaped("scale_image", scale, shape)});
  s.finish(Op::Add, {scaled, s.reshaped("offset_image", offset, shape)});
  return true;
}

}  // namespace

Expected<void> fold_batch_norms(Model& model) {
  // Graphs inside nodes may read any value.
  if (model.graphs.size() == 1) Folder(model).run();
  SUBBYTE_CHECK_OK(spell_out(model, spell_batch_normalization));
  return {};
}

}  // namespace subbyte
