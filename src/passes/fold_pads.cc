// A Pad of zeros around the spatial axes, which convolutions, and means that count padding, have
// of their own.
#include <algorithm>

#include "graph/ops.h"
#include "passes/canonicalize_rules.h"
#include "passes/passes.h"
#include "reference/call.h"

namespace subbyte {
namespace {

using Numbers = std::vector<std::int64_t>;

bool is_zero(const Tensor& tensor) {
  return std::ranges::all_of(reference::read_doubles(tensor), [](double v) { return v == 0; });
}

// The amounts before and after each spatial axis (before all, then after all, as in `pads`) of a
// Pad that adds zeros there and nothing elsewhere.
std::optional<Numbers> spatial_pads(const Graph& graph, const Node& pad) {
  const auto& shape = graph.values[pad.inputs[0]].shape;
  const Tensor* amounts = graph.constant(pad.inputs[1]);
  if (pad.string_or("mode", "") != "constant" || !shape || shape->size() < 3 || amounts == nullptr)
    return std::nullopt;
  const Tensor* value = graph.constant(pad.inputs[2]);
  if (value == nullptr || !is_zero(*value)) return std::nullopt;
  const std::size_t rank = shape->size();
  const auto list = integer_values(*amounts);
  if (!list || list->size() != 2 * rank) return std::nullopt;
  Numbers result;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const bool spatial = i % rank >= 2;
    const std::int64_t amount = (*list)[i];
    if (amount < 0 || amount > INT32_MAX || (!spatial && amount != 0)) return std::nullopt;
    if (spatial) result.push_back(amount);
  }
  return result;
}

// The node's own pads; nullopt where they depend on sizes.
std::optional<Numbers> own_pads(const Node& node, std::size_t count) {
  if (node.find("auto_pad") != nullptr) return std::nullopt;
  const auto pads = node.ints("pads");
  if (!pads) return Numbers(count, 0);
  if (pads->size() != count) return std::nullopt;
  return Numbers(pads->begin(), pads->end());
}

// Whether pads of the node's own would give what these, of a Pad, do.
bool may_take(const Node& node, const Numbers& own, const Numbers& sum) {
  if (std::ranges::any_of(sum, [](std::int64_t pad) { return pad > INT32_MAX; })) return false;
  if (node.op == Op::Conv) return true;
  if (node.op != Op::AveragePool || node.int_or("ceil_mode", 0) != 0) return false;
  // The zeros of the Pad count; those of the pool may not have.
  const bool unpadded = std::ranges::all_of(own, [](std::int64_t pad) { return pad == 0; });
  if (!unpadded && node.int_or("count_include_pad", 0) == 0) return false;
  // A pool must not have windows of padding alone.
  const auto kernel = node.ints("kernel_shape"), dilations = node.ints("dilations");
  if (!kernel || kernel->size() * 2 != sum.size()) return false;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const std::size_t axis = i % kernel->size();
    const std::int64_t dilation =
        dilations && dilations->size() == kernel->size() ? (*dilations)[axis] : 1;
    if (sum[i] > ((*kernel)[axis] - 1) * dilation) return false;
  }
  return true;
}

// Whether the node took the pads of a Pad before it.
bool take_pads(Graph& graph, Node& node) {
  const NodeId producer = graph.values[node.inputs[0]].producer;
  if (producer == kNone || graph.nodes[producer].op != Op::Pad) return false;
  const auto around = spatial_pads(graph, graph.nodes[producer]);
  const auto own = around ? own_pads(node, around->size()) : std::nullopt;
  if (!own) return false;
  Numbers sum = *own;
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += (*around)[i];
  if (!may_take(node, *own, sum)) return false;
  remove_attribute(node, "pads");
  node.attributes.push_back({"pads", std::move(sum)});
  if (node.op == Op::AveragePool) {
    remove_attribute(node, "count_include_pad");
    node.attributes.push_back({"count_include_pad", std::int64_t{1}});
  }
  // The Pad stays where something else reads it.
  node.inputs[0] = graph.nodes[producer].inputs[0];
  return true;
}

}  // namespace

Expected<void> fold_pads(Model& model) {
  Graph& graph = model.main();
  for (Node& node : graph.nodes) {
    if (node.op != Op::Conv && node.op != Op::AveragePool) continue;
    while (take_pads(graph, node)) {
    }
  }
  return {};
}

}  // namespace subbyte
