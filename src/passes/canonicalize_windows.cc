// Convolutions and pools with all that they do written out.
#include "graph/families.h"
#include "graph/infer/window.h"
#include "graph/ops.h"
#include "passes/canonicalize_rules.h"

namespace subbyte {
namespace {

using Numbers = std::vector<std::int64_t>;

bool has_rule(const Node& node, ShapeRule rule) {
  return node.op != Op::Unknown && op_info(node.op).infer == rule;
}

bool is_convolution(const Node& node) {
  return has_rule(node, ShapeRule::conv) || has_rule(node, ShapeRule::conv_transpose);
}

bool is_window(const Node& node) { return is_convolution(node) || has_rule(node, ShapeRule::pool); }

std::optional<Numbers> constants(const ExprPool& exprs, const std::vector<Expr>& list) {
  Numbers numbers;
  for (const Expr e : list) {
    const auto value = exprs.value(e);
    if (!value) return std::nullopt;
    numbers.push_back(*value);
  }
  return numbers;
}

void set_ints(Node& node, std::string_view name, const std::optional<Numbers>& numbers) {
  if (!numbers) return;
  remove_attribute(node, name);
  node.attributes.push_back({std::string(name), *numbers});
}

// What Window and TransposedWindow have in common.
template <typename W>
void set_kernel(const ExprPool& exprs, Node& node, const W& window) {
  set_ints(node, "kernel_shape", constants(exprs, window.kernel));
  set_ints(node, "strides", constants(exprs, window.strides));
  // AveragePool has dilations since opset 19 only; a model that uses them is of that opset.
  if (node.op != Op::AveragePool) set_ints(node, "dilations", constants(exprs, window.dilations));
  if (is_convolution(node) && node.find("group") == nullptr)
    node.attributes.push_back({"group", std::int64_t{1}});
}

// Pads that are numbers replace what asked for them.
void set_pads(Node& node, std::optional<Numbers> begin, const std::optional<Numbers>& end) {
  if (!begin || !end) return;
  begin->insert(begin->end(), end->begin(), end->end());
  set_ints(node, "pads", begin);
  remove_attribute(node, "auto_pad");
  remove_attribute(node, "output_shape");
}

Expected<void> open_window(Model& model, Node& node) {
  SUBBYTE_TRY(const auto window, window_of(model.exprs, model.main(), node));
  if (!window) return {};
  set_kernel(model.exprs, node, *window);
  set_pads(node, constants(model.exprs, window->pads_begin),
           constants(model.exprs, window->pads_end));
  return {};
}

// What takes the padding off at the end, and what output_padding adds there, is what the size of
// the output says.
Expected<void> open_transposed_window(Model& model, Node& node) {
  ExprPool& exprs = model.exprs;
  SUBBYTE_TRY(const auto window, transposed_window_of(exprs, model.main(), node));
  if (!window) return {};
  set_kernel(exprs, node, *window);
  const Numbers none(window->out.size(), 0);
  const auto given = node.ints("output_padding");
  Numbers extra = given ? Numbers(given->begin(), given->end()) : none;
  const auto& input = *model.main().values[node.inputs[0]].shape;
  std::vector<Expr> ends;
  for (std::size_t axis = 0; axis < window->out.size(); ++axis) {
    const Expr one = exprs.constant(1);
    const Expr full = exprs.add(
        exprs.mul(exprs.sub(input[axis + 2], one), window->strides[axis]),
        exprs.add(exprs.mul(window->dilations[axis], exprs.sub(window->kernel[axis], one)), one));
    const Expr reach = exprs.add(full, exprs.constant(extra[axis]));
    ends.push_back(exprs.sub(exprs.sub(reach, window->out[axis]), window->pads_begin[axis]));
  }
  auto pads_end = constants(exprs, ends);
  for (std::size_t axis = 0; pads_end && axis < pads_end->size(); ++axis) {
    // An output_shape beyond all that the kernel reaches.
    if ((*pads_end)[axis] >= 0) continue;
    extra[axis] -= (*pads_end)[axis];
    (*pads_end)[axis] = 0;
  }
  set_ints(node, "output_padding", extra);
  set_pads(node, constants(exprs, window->pads_begin), pads_end);
  return {};
}

// Without all of its attributes, or with auto_pad.
bool is_open_window(const Node& node) {
  if (!is_window(node)) return false;
  const bool complete = node.find("kernel_shape") != nullptr && node.find("strides") != nullptr &&
                        (node.find("dilations") != nullptr || node.op == Op::AveragePool) &&
                        node.find("pads") != nullptr && node.find("auto_pad") == nullptr &&
                        node.find("output_shape") == nullptr;
  if (!is_convolution(node)) return !complete;
  return !complete || node.find("group") == nullptr ||
         (node.op == Op::ConvTranspose && node.find("output_padding") == nullptr);
}

}  // namespace

Expected<void> canonicalize_windows(Model& model) {
  Graph& graph = model.main();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    if (!is_open_window(node)) continue;
    auto done = node.op == Op::ConvTranspose ? open_transposed_window(model, node)
                                             : open_window(model, node);
    if (!done) return within(describe(graph, static_cast<NodeId>(n)), std::move(done.error()));
  }
  return {};
}

}  // namespace subbyte
