#include "passes/fold_rules.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "graph/families.h"
#include "graph/grid.h"
#include "graph/op_info.h"
#include "graph/ops.h"
#include "graph/recurrence.h"
#include "graph/resize_form.h"

namespace subbyte {
namespace {

// All that is computed is a word of 32 bits on the GPU, so elements are what is compared. Less is
// not worth a node; a vector is what products and normalisations are folded with.
constexpr std::int64_t kSmallest = 1024;
constexpr std::int64_t kSmallestVector = 16384;
// Constants that small are shared by what has nothing to do with each other.
constexpr std::int64_t kSmallestShared = 64;
// Waves and curves are computed by a kernel of their own at load, which a smaller table is not
// worth.
constexpr std::int64_t kMostOfWaves = 16384;

bool is_large(const Tensor& tensor) {
  const auto axes = std::ranges::count_if(tensor.dims, [](auto d) { return d != 1; });
  return tensor.elements() >= (axes < 2 ? kSmallestVector : kSmallest);
}

bool all_are_finite(const Tensor& tensor) {
  constexpr std::int64_t kBlock = 4096;
  std::vector<float> values(static_cast<std::size_t>(kBlock));
  for (std::int64_t first = 0; first < tensor.elements(); first += kBlock) {
    const std::int64_t count = std::min(kBlock, tensor.elements() - first);
    read_floats(tensor, first, count, values.data());
    if (!std::all_of(values.begin(), values.begin() + count,
                     [](float v) { return std::isfinite(v); }))
      return false;
  }
  return true;
}

// Whether every element is the same on the GPU, where integers are words of 32 bits.
bool is_held(const Tensor& tensor) {
  if (tensor.dtype == DType::string) return false;
  if (!is_integer(tensor.dtype) || dtype_size(tensor.dtype) < 8) return true;
  const auto values = integer_values(tensor);
  return values && std::ranges::all_of(
                       *values, [](std::int64_t v) { return v >= INT32_MIN && v <= INT32_MAX; });
}

bool is_exact(const Tensor& tensor) {
  return tensor.dtype == DType::float32 || tensor.dtype == DType::boolean ||
         is_integer(tensor.dtype);
}

// Whether elements are taken at several places: what takes the same everywhere repeats, of which
// less is left (collapse_repeats).
bool takes_several(const Tensor& indices) {
  const auto values = integer_values(indices);
  return values &&
         std::ranges::any_of(*values, [&](std::int64_t v) { return v != values->front(); });
}

// What is smooth, and whose last bits differ between the GPU and here.
bool is_wave(const Node& node) {
  switch (node.op) {
    case Op::Resize: {
      const auto form = resize_form(node);
      return form && form->mode != ResizeForm::Mode::nearest && !form->crops();
    }
    case Op::Cos:
    case Op::Div:
    case Op::Erf:
    case Op::Exp:
    case Op::Log:
    case Op::MatMul:
    case Op::Pow:
    case Op::Reciprocal:
    case Op::Sigmoid:
    case Op::Sin:
    case Op::Softplus:
    case Op::Sqrt:
    case Op::Tanh:
      return true;
    default:
      return false;
  }
}

// Views, comparisons, what chooses, counts, and the arithmetic of masks: what gives the same bits
// on the GPU as here, and costs nothing beside reading the result. And waves, other curves and what
// is interpolated, whose last bits may differ, so that nothing is a rule that may jump there, or a
// curve that may make them more.
bool is_rule(const Graph& graph, const Node& node, bool of_waves) {
  const auto all_inputs = [&](auto holds) {
    return std::ranges::all_of(
        node.inputs, [&](ValueId v) { return v == kNone || holds(*graph.values[v].constant); });
  };
  if (!all_inputs(is_held)) return false;
  if (is_view(node.op)) return true;
  const bool jumps = op_info(node.op).infer == ShapeRule::compare;
  if (of_waves && (jumps || node.op == Op::Cast || is_wave(node))) return false;
  if (jumps) return all_inputs(is_exact);
  const Tensor& result = *graph.values[node.outputs[0]].constant;
  switch (node.op) {
    case Op::And:
    case Op::Or:
    case Op::Xor:
    case Op::Not:
    case Op::Where:
    case Op::Trilu:
    case Op::Concat:
    case Op::EyeLike:
      return is_held(result);
    case Op::Range:
      return is_integer(result.dtype) && is_held(result);
    case Op::Cast:
      return result.dtype == DType::float32 && all_inputs(is_exact);
    case Op::Add:
    case Op::Sub:
    case Op::Mul:
    case Op::Neg:
      return result.dtype == DType::float32 && all_are_finite(result);
    case Op::OneHot:
      return is_exact(result) && is_held(result);
    case Op::Gather:
    case Op::GatherElements:
    case Op::GatherND:
      return is_exact(result) && takes_several(*graph.values[node.inputs[1]].constant);
    // What else is filled with one number is an Expand of it.
    case Op::ConstantOfShape:
      return is_held(result) && std::ranges::count(graph.outputs, node.outputs[0]) > 0;
    default:
      return is_wave(node) && result.dtype == DType::float32 && all_inputs(is_exact) &&
             result.elements() > kMostOfWaves && all_are_finite(result);
  }
}

bool same(const Tensor& a, const Tensor& b) {
  return a.dtype == b.dtype && a.dims == b.dims &&
         std::memcmp(a.data.data(), b.data.data(), a.data.size()) == 0;
}

// The sets of a forest.
struct Sets {
  std::vector<ValueId> parent;
  explicit Sets(std::size_t count) : parent(count) { std::iota(parent.begin(), parent.end(), 0u); }
  ValueId of(ValueId v) {
    while (parent[v] != v) v = parent[v] = parent[parent[v]];
    return v;
  }
  void join(ValueId a, ValueId b) { parent[of(a)] = of(b); }
};

}  // namespace

void FoldedRules::add(const Graph& graph, NodeId node) {
  const Node& n = graph.nodes[node];
  const bool of_waves =
      std::ranges::any_of(n.inputs, [&](ValueId v) { return v != kNone && is_wave_[v]; });
  if (n.outputs.empty() || !is_rule(graph, n, of_waves)) return;
  // Codes that became numbers are stored as codes.
  if (has_grid(*graph.values[n.outputs[0]].constant)) return;
  nodes_.push_back(node);
  for (const ValueId output : n.outputs) {
    maker_[output] = node;
    is_wave_[output] = of_waves || is_wave(n);
  }
}

void FoldedRules::release(const Graph& graph, ValueId constant) {
  if (maker_[constant] == kNone) released_.emplace(constant, *graph.values[constant].constant);
}

std::vector<FoldedRules::Family> FoldedRules::families(const Graph& graph,
                                                       const std::vector<bool>& keep_nodes) const {
  const auto constant_of = [&](ValueId v) -> const Tensor* {
    const auto released = released_.find(v);
    return released != released_.end() ? &released->second : graph.constant(v);
  };
  std::vector<bool> used(graph.values.size(), false);
  for (const ValueId output : graph.outputs) used[output] = true;
  const std::vector<bool> is_output = used;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!keep_nodes[n]) continue;
    for (const ValueId input : graph.nodes[n].inputs)
      if (input != kNone) used[input] = true;
  }
  Sets sets(graph.values.size());
  std::vector<bool> seen(graph.values.size(), false);
  std::vector<ValueId> values;
  const auto see = [&](ValueId v) {
    if (!seen[v]) values.push_back(v);
    seen[v] = true;
  };
  for (const NodeId n : nodes_) {
    const Node& node = graph.nodes[n];
    for (const ValueId output : node.outputs) {
      see(output);
      sets.join(output, node.outputs[0]);
    }
    for (const ValueId input : node.inputs) {
      if (input == kNone) continue;
      see(input);
      const Tensor* const source = maker_[input] == kNone ? constant_of(input) : nullptr;
      if (source == nullptr || source->elements() >= kSmallestShared)
        sets.join(input, node.outputs[0]);
    }
  }
  std::map<ValueId, Family> found;
  for (const ValueId v : values) {
    Family& family = found[sets.of(v)];
    const Tensor* const constant = constant_of(v);
    const bool source = maker_[v] == kNone;
    if (source) family.sources += constant->elements();
    if (!used[v] || constant == nullptr || !is_large(*constant)) continue;
    // merge_constants makes one of those that are the same, but for outputs.
    const bool again = !source && !is_output[v] && std::ranges::any_of(family.made, [&](ValueId m) {
      return !is_output[m] && same(*graph.constant(m), *constant);
    });
    if (!again) family.stored += constant->elements();
    if (!source) family.made.push_back(v);
    family.has_waves = family.has_waves || is_wave_[v];
  }
  std::vector<Family> all;
  all.reserve(found.size());
  for (auto& [root, family] : found) all.push_back(std::move(family));
  return all;
}

void FoldedRules::bring_back(Graph& graph, ValueId value, std::vector<bool>& keep_nodes,
                             std::vector<bool>& keep_values) {
  std::vector<ValueId> work{value};
  while (!work.empty()) {
    const ValueId v = work.back();
    work.pop_back();
    const NodeId n = maker_[v];
    if (keep_nodes[n]) continue;
    keep_nodes[n] = true;
    for (const ValueId output : graph.nodes[n].outputs) {
      graph.values[output].constant.reset();
      graph.values[output].producer = n;
      keep_values[output] = true;
    }
    for (const ValueId input : graph.nodes[n].inputs) {
      if (input == kNone) continue;
      Value& source = graph.values[input];
      if (maker_[input] != kNone && !(source.constant && !is_large(*source.constant))) {
        work.push_back(input);
      } else if (!source.constant) {
        source.constant = released_.at(input);
        keep_values[input] = true;
      }
    }
  }
}

// Whether the constants of a family take more than what they are made of, and may be made again.
bool FoldedRules::is_larger(const Graph& graph, const Family& family, const Uses& uses,
                            const std::vector<bool>& keep_nodes) const {
  if (family.stored <= family.sources) return false;
  if (!family.has_waves) return true;
  // What products read, through views too.
  std::vector<ValueId> work = family.made;
  while (!work.empty()) {
    const ValueId v = work.back();
    work.pop_back();
    for (const NodeId reader : uses.readers[v]) {
      const Node& node = graph.nodes[reader];
      if (!keep_nodes[reader]) continue;
      if (family_of(node.op).role == Role::product || is_recurrence(node.op)) return false;
      if (is_view(node.op) && node.inputs[0] == v)
        work.insert(work.end(), node.outputs.begin(), node.outputs.end());
    }
  }
  return true;
}

void FoldedRules::restore(Graph& graph, std::vector<bool>& keep_nodes,
                          std::vector<bool>& keep_values) {
  const Uses uses = find_uses(graph);
  for (const Family& family : families(graph, keep_nodes)) {
    if (!is_larger(graph, family, uses, keep_nodes)) continue;
    for (const ValueId v : family.made) bring_back(graph, v, keep_nodes, keep_values);
  }
}

}  // namespace subbyte
