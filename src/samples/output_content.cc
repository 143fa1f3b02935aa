#include "samples/output_content.h"

#include <algorithm>
#include <initializer_list>
#include <numeric>
#include <optional>
#include <set>

#include "graph/node_form.h"
#include "graph/ops.h"
#include "samples/input_content.h"
#include "samples/input_names.h"
#include "samples/written_text.h"

namespace subbyte {

namespace {

class Reader {
 public:
  explicit Reader(const Model& model) : model_(model), graph_(model.main()) {
    for (const InputContent& input : input_contents(model))
      if (input.content == Content::tokens) tables_.insert(input.limit);
  }

  OutputContent read(ValueId output) const {
    const Value& value = graph_.values[output];
    if (!is_float(value.dtype) || !value.shape || value.shape->empty()) return {};
    const std::size_t rank = value.shape->size();
    // Where each axis of the output is in the value that is looked at.
    std::vector<std::size_t> axes(rank);
    std::iota(axes.begin(), axes.end(), std::size_t{0});
    bool last_only = false;  // a reshape left the order of no axis but the last
    ValueId at = output;
    while (const Node* node = before(at)) {
      if (node->op == Op::Transpose && !last_only) {
        const auto perm = *node->ints("perm");
        for (std::size_t& axis : axes) axis = static_cast<std::size_t>(perm[axis]);
      } else if (node->op != Op::Identity && node->op != Op::Cast && node->op != Op::Transpose) {
        if (last_of(node->inputs[0]) != last_of(at) || axes.back() + 1 != axes.size()) return {};
        last_only = true;
      } else if (node->op == Op::Transpose) {
        return {};
      }
      at = node->inputs[0];
    }
    return computed_by(value, at, axes, last_only);
  }

 private:
  // The node that only moves the numbers of the value; nullptr where another computes them.
  const Node* before(ValueId value) const {
    if (graph_.values[value].producer == kNone) return nullptr;
    const Node& node = graph_.nodes[graph_.values[value].producer];
    return node.op == Op::Cast || keeps_elements(node.op) ? &node : nullptr;
  }

  std::optional<Expr> last_of(ValueId value) const {
    const auto& shape = graph_.values[value].shape;
    return shape && !shape->empty() ? std::optional(shape->back()) : std::nullopt;
  }

  OutputContent computed_by(const Value& output, ValueId at, const std::vector<std::size_t>& axes,
                            bool last_only) const {
    const Value& value = graph_.values[at];
    if (value.producer == kNone || !value.shape) return {};
    const Node& node = graph_.nodes[value.producer];
    const std::size_t last = axes.size() - 1;
    // The axis of the output that the axis of the value is.
    const auto outer = [&](std::size_t axis) -> std::optional<std::size_t> {
      if (last_only) return axis + 1 == value.shape->size() ? std::optional(last) : std::nullopt;
      const auto found = std::ranges::find(axes, axis);
      return found == axes.end() ? std::nullopt
                                 : std::optional(static_cast<std::size_t>(found - axes.begin()));
    };
    if (node.op == Op::Sigmoid || node.op == Op::HardSigmoid) return {Says::probabilities};
    if (node.op == Op::Softmax || node.op == Op::LogSoftmax) {
      const auto axis = outer(axis_of(node));
      if (axis && may_decide(output, *axis))
        return {Says::distribution, *axis, node.op == Op::LogSoftmax};
      return {};
    }
    // A softmax as exporters spell it out.
    if (node.op == Op::Div && is_by(node.inputs[0], {Op::Exp}) &&
        is_by(node.inputs[1], {Op::ReduceSum}) && may_decide(output, last))
      return {Says::distribution, last};
    if (is_of_product(at) && may_decide(output, last) && looks_like_logits(output))
      return {Says::logits, last};
    return {};
  }

  bool is_by(ValueId value, std::initializer_list<Op> ops) const {
    if (value == kNone || graph_.values[value].producer == kNone) return false;
    return std::ranges::find(ops, graph_.nodes[graph_.values[value].producer].op) != ops.end();
  }

  // A product with trained weights, with or without a bias.
  bool is_of_product(ValueId value) const {
    if (graph_.values[value].producer == kNone) return false;
    const Node& node = graph_.nodes[graph_.values[value].producer];
    if (node.op == Op::Gemm) return true;
    if (node.op == Op::MatMul) return is_trained(node.inputs[1]);
    if (node.op != Op::Add) return false;
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}})
      if (graph_.constant(node.inputs[1 - i]) != nullptr && is_by(node.inputs[i], {Op::MatMul}))
        return true;
    return false;
  }

  // A constant, or one that is transposed, as a table of tokens is that logits are made with.
  bool is_trained(ValueId value) const {
    if (is_by(value, {Op::Transpose}))
      value = graph_.nodes[graph_.values[value].producer].inputs[0];
    return graph_.constant(value) != nullptr;
  }

  // One alternative alone decides nothing.
  bool may_decide(const Value& output, std::size_t axis) const {
    return model_.exprs.value((*output.shape)[axis]).value_or(2) >= 2;
  }

  bool looks_like_logits(const Value& output) const {
    if (has_word(output, "embed")) return false;
    for (const char* const word : {"logit", "class", "score", "prob", "label"})
      if (has_word(output, word)) return true;
    const auto width = model_.exprs.value(output.shape->back());
    if (!width) return false;
    const bool is_vocabulary = std::ranges::any_of(tables_, [&](std::int64_t rows) {
      return *width >= rows - rows / 8 && *width <= rows + rows / 8;
    });
    return is_vocabulary || output.shape->size() == 2;
  }

  const Model& model_;
  const Graph& graph_;
  std::set<std::int64_t> tables_;
};

}  // namespace

std::vector<OutputContent> output_contents(const Model& model) {
  const Reader reader(model);
  std::vector<OutputContent> contents;
  for (const ValueId v : model.main().outputs) contents.push_back(reader.read(v));
  const std::vector<InputContent> inputs = input_contents(model);
  if (const auto language = find_language_model(model, inputs))
    for (const auto& [cache, output] : find_cache_outputs(model, inputs, language->logits))
      contents[output].is_cache = true;
  return contents;
}

}  // namespace subbyte
