#include <algorithm>
#include <cstring>

#include "graph/arithmetic.h"
#include "graph/branches.h"
#include "graph/families.h"
#include "graph/infer.h"
#include "graph/narrow_float.h"
#include "graph/ops.h"
#include "passes/canonical_form.h"
#include "passes/canonicalize_rules.h"
#include "passes/compact.h"
#include "passes/constant_origin.h"
#include "passes/fold_grid.h"
#include "passes/fold_rules.h"
#include "passes/keep_small.h"
#include "passes/passes.h"
#include "passes/resolve_branches.h"
#include "reference/reference.h"

namespace subbyte {
namespace {

// A folded result may be this large whatever it is made from; above, at most so many times its
// inputs. Else an Expand of a few bytes would become megabytes of weights in the file.
constexpr std::int64_t kSmallResult = std::int64_t{1} << 20;
constexpr std::int64_t kLargestGrowth = 4;

std::optional<std::vector<std::int64_t>> constant_elements(const ExprPool& exprs,
                                                           const std::vector<Expr>& elements) {
  std::vector<std::int64_t> values;
  for (const Expr element : elements) {
    const auto value = exprs.value(element);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

// The low bytes of each value: integer dtypes are two's complement, little-endian.
Tensor tensor_of(DType dtype, std::vector<std::int64_t> dims,
                 const std::vector<std::int64_t>& values) {
  const std::size_t size = dtype_size(dtype);
  std::vector<std::byte> bytes(values.size() * size);
  for (std::size_t i = 0; i < values.size(); ++i)
    std::memcpy(bytes.data() + i * size, &values[i], size);
  return make_tensor(dtype, std::move(dims), std::move(bytes));
}

// A value that shape inference knows element by element, as a tensor.
std::optional<Tensor> tensor_of_content(const ExprPool& exprs, const Value& value) {
  if (!value.content || !value.shape) return std::nullopt;
  if (!is_integer(value.dtype) && value.dtype != DType::boolean) return std::nullopt;
  auto dims = constant_elements(exprs, *value.shape);
  const auto elements = constant_elements(exprs, *value.content);
  if (!dims || !elements) return std::nullopt;
  Tensor tensor = tensor_of(value.dtype, std::move(*dims), *elements);
  if (tensor.elements() != static_cast<std::int64_t>(elements->size())) return std::nullopt;
  return tensor;
}

void set_constant(ExprPool& exprs, Value& value, Tensor tensor) {
  value.dtype = tensor.dtype;
  value.shape.emplace();
  for (const std::int64_t dim : tensor.dims) value.shape->push_back(exprs.constant(dim));
  value.constant = std::move(tensor);
  value.producer = kNone;
}

// Whether the result holds the elements of input 0, in another shape, order or type of floats.
bool gives_elements(const Graph& graph, const Node& node) {
  if (node.op != Op::Cast) return keeps_elements(node.op);
  return is_float(graph.values[node.inputs[0]].dtype) &&
         is_float(graph.values[node.outputs[0]].dtype) &&
         !is_narrow_float(graph.values[node.outputs[0]].dtype);
}

// A weight that is folded through such a node is still found by the name that the source gave it.
void keep_name(Graph& graph, const Node& node, bool input_was_folded) {
  const Value& from = graph.values[node.inputs[0]];
  std::vector<std::string> names = from.aliases;
  if (!input_was_folded) names.insert(names.begin(), from.name);
  Value& to = graph.values[node.outputs[0]];
  for (const std::string& name : names) add_alias(to, name);
}

// Whether one of the tables that a node reads is defined by an operator.
bool reads_defined(const Graph& graph, const Node& node) {
  return std::ranges::any_of(
      node.inputs, [&](ValueId input) { return input != kNone && graph.values[input].is_defined; });
}

bool can_fold(const Graph& graph, const Node& node) {
  // The transpose of a weight that arrived quantized is a view of it.
  const bool keeps_grid = node.op == Op::Transpose && graph.constant(node.inputs[0]) != nullptr &&
                          has_grid(*graph.constant(node.inputs[0]));
  // What goes from turn to turn is not what it is before the first.
  if (node.op == Op::Enter || node.op == Op::Leave) return false;
  return node.op != Op::Unknown && !keeps_grid && !reference::carries_graph(node) &&
         std::ranges::all_of(
             node.inputs,
             [&](ValueId input) { return input == kNone || graph.constant(input) != nullptr; }) &&
         is_canonical(graph, node);
}

// Bytes of a value whose shape is all numbers, saturated; nullopt where it is not.
std::optional<std::int64_t> known_bytes(const ExprPool& exprs, const Value& value) {
  if (!value.shape || value.dtype == DType::undefined) return std::nullopt;
  const auto dims = constant_elements(exprs, *value.shape);
  if (!dims) return std::nullopt;
  const Tensor shape_only{value.dtype, *dims, {}, nullptr};
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(shape_only.elements(),
                             static_cast<std::int64_t>(dtype_size(value.dtype)), &bytes))
    return INT64_MAX;
  return bytes;
}

// Products that a convolution or pool may be folded for. Its output may be small where its work is
// not, because each element of it sees a window.
constexpr std::int64_t kMostWork = std::int64_t{1} << 30;

// Elements of the windows of all outputs.
std::int64_t window_work(const Graph& graph, const Node& node, const Tensor& output) {
  const ShapeRule rule = op_info(node.op).infer;
  const bool conv = rule == ShapeRule::conv, transposed = rule == ShapeRule::conv_transpose;
  if (!conv && !transposed && rule != ShapeRule::pool) return 0;
  const Tensor& seen = *graph.constant(node.inputs[conv || transposed ? 1 : 0]);
  const std::int64_t outputs = std::max<std::int64_t>(output.elements(), 1);
  std::int64_t work = 0;
  if (__builtin_mul_overflow(outputs, seen.elements(), &work)) return INT64_MAX;
  // Each output sees the weights of its own channel, or its own channel of the input.
  const std::int64_t channels = saturating_mul(transposed ? 1 : seen.dims[0],
                                               conv || seen.dims.size() < 2 ? 1 : seen.dims[1]);
  return work / std::max<std::int64_t>(channels, 1);
}

// All folded results together may take this, and so many times the constants that the model came
// with: a chain of nodes that each grow a little must not take more memory than the file's size
// warrants.
constexpr std::int64_t kSmallTotal = std::int64_t{64} << 20;
constexpr std::int64_t kLargestTotal = 16;

std::int64_t initial_budget(const Graph& graph) {
  std::int64_t bytes = 0;
  for (const Value& value : graph.values)
    if (value.constant) bytes += static_cast<std::int64_t>(value.constant->data.size());
  return kSmallTotal + kLargestTotal * bytes;
}

// Computes the outputs of a node from its constant inputs; nullopt where they would be too large.
Expected<std::optional<std::vector<Tensor>>> fold(const Model& model, NodeId id,
                                                  std::int64_t budget, bool is_guarded) {
  const Graph& graph = model.main();
  const Node& node = graph.nodes[id];
  std::vector<const Tensor*> inputs;
  std::int64_t input_bytes = 0;
  for (const ValueId input : node.inputs) {
    inputs.push_back(graph.constant(input));
    if (inputs.back() != nullptr)
      input_bytes += static_cast<std::int64_t>(inputs.back()->data.size());
  }
  const std::int64_t limit = std::min(
      {std::max(kSmallResult, kLargestGrowth * input_bytes), budget, reference::kMaxTensorBytes});
  bool sizes_known = true;
  for (const ValueId output : node.outputs) {
    const Value& value = graph.values[output];
    const auto bytes = known_bytes(model.exprs, value);
    if (bytes && *bytes > limit) return std::nullopt;
    if (bytes &&
        window_work(graph, node,
                    {value.dtype, *constant_elements(model.exprs, *value.shape), {}, nullptr}) >
            kMostWork)
      return std::nullopt;
    sizes_known = sizes_known && bytes.has_value();
  }
  auto outputs = reference::evaluate(node, inputs, limit);
  if (!outputs) {
    // The size may be what is wrong, and then the node may still run on the GPU; or it never runs.
    if (!sizes_known || is_guarded) return std::nullopt;
    return within(describe(graph, id), std::move(outputs.error()));
  }
  // Of those that only training asks for there are none.
  if (outputs->size() < node.outputs.size()) return std::nullopt;
  if (node.outputs.size() == 1) outputs->front().grid = folded_grid(node, inputs, outputs->front());
  return std::move(*outputs);
}

// Constants by how many readers are left, so that what was made on the way goes as soon as it can.
struct ConstantReaders {
  std::vector<std::size_t> left;
  std::vector<bool> keep;
  bool by_name;  // graphs inside nodes take values by name, which is not counted

  explicit ConstantReaders(const Model& model)
      : left(model.main().values.size()),
        keep(left.size(), true),
        by_name(model.graphs.size() > 1) {
    const Uses uses = find_uses(model.main());
    for (std::size_t v = 0; v < left.size(); ++v) left[v] = uses.count(static_cast<ValueId>(v));
  }

  // The node reads its inputs no more.
  void release(Graph& graph, const Node& node, FoldedRules& rules) {
    for (const ValueId input : node.inputs) {
      if (input == kNone || --left[input] > 0 || by_name || !graph.values[input].constant) continue;
      rules.release(graph, input);
      keep[input] = false;
      graph.values[input].constant.reset();
    }
  }
};

// A node some of whose outputs became constants still gives them, under another name that nothing
// reads.
void give_unread(Model& model, NodeId id, std::size_t output) {
  Graph& graph = model.main();
  const ValueId known = graph.nodes[id].outputs[output];
  Value unread{.dtype = graph.values[known].dtype, .shape = graph.values[known].shape};
  ConstantMaker make(model.exprs, graph);
  const ValueId added = make.add_value(graph.nodes[id], fmt::format("output_{}", output));
  unread.name = std::move(graph.values[added].name);
  unread.producer = id;
  graph.values[added] = std::move(unread);
  graph.nodes[id].outputs[output] = added;
}

// Makes constants of the outputs whose content is numbers; true for the nodes that have others.
std::vector<bool> fold_contents(Model& model) {
  Graph& graph = model.main();
  std::vector<bool> keep(graph.nodes.size(), true);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const std::vector<ValueId> outputs = graph.nodes[n].outputs;
    std::vector<std::optional<Tensor>> known;
    known.reserve(outputs.size());
    for (const ValueId output : outputs)
      known.push_back(tensor_of_content(model.exprs, graph.values[output]));
    keep[n] = outputs.empty() || !std::ranges::all_of(known, [](const auto& t) { return !!t; });
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (!known[i]) continue;
      if (keep[n]) give_unread(model, static_cast<NodeId>(n), i);
      set_constant(model.exprs, graph.values[outputs[i]], std::move(*known[i]));
    }
  }
  return keep;
}

Expected<void> fold_known(Model& model, std::int64_t& budget) {
  Graph& graph = model.main();
  std::vector<bool> keep = fold_contents(model);
  const Guards guards(graph);
  ConstantReaders readers(model);
  FoldedRules rules(graph.values.size());
  std::vector<bool> folded(graph.values.size(), false);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    if (keep[n] && can_fold(graph, node)) {
      const bool is_guarded = !guards.of_node(static_cast<NodeId>(n)).empty();
      SUBBYTE_TRY(auto outputs, fold(model, static_cast<NodeId>(n), budget, is_guarded));
      if (!outputs) continue;
      const bool is_defined = reads_defined(graph, node);
      for (std::size_t i = 0; i < node.outputs.size(); ++i) {
        graph.values[node.outputs[i]].is_defined = is_defined;
        // The steps from codes to floats are few, and each is as large as the one before.
        if ((*outputs)[i].grid == nullptr)
          budget -= static_cast<std::int64_t>((*outputs)[i].data.size());
        set_constant(model.exprs, graph.values[node.outputs[i]], std::move((*outputs)[i]));
      }
      keep[n] = false;
      if (gives_elements(graph, node)) {
        keep_name(graph, node, folded[node.inputs[0]]);
        graph.values[node.outputs[0]].source = source_behind(graph, node, folded[node.inputs[0]]);
      }
      for (const ValueId output : node.outputs) folded[output] = true;
      rules.add(graph, static_cast<NodeId>(n));
    }
    if (!keep[n]) readers.release(graph, node, rules);
  }
  if (!readers.by_name) rules.restore(graph, keep, readers.keep);
  compact(graph, keep, readers.keep);
  return {};
}

}  // namespace

// Where a rank follows from what was folded, nodes get their canonical form only then.
Expected<void> fold_constants(Model& model) {
  std::int64_t budget = initial_budget(model.main());
  // Graphs inside nodes take values by name.
  if (model.graphs.size() == 1) {
    widen_tables(model);
    keep_low_rank(model);
  }
  for (bool changed = true; changed;) {
    SUBBYTE_CHECK_OK(fold_known(model, budget));
    SUBBYTE_CHECK_OK(infer(model));
    SUBBYTE_TRY(const bool resolved, resolve_branches(model));
    SUBBYTE_TRY(changed, canonicalize_known(model));
    changed = changed || resolved;
  }
  return {};
}

}  // namespace subbyte
