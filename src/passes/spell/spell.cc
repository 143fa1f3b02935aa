#include "passes/spell/spell.h"

#include <algorithm>
#include <numeric>

#include "graph/ops.h"
#include "passes/compact.h"

namespace subbyte {
namespace {

SpellOut spelling_of(Op op) {
  switch (op) {
#define SPELLING(op, name) \
  case Op::op:             \
    return spell_##name;
#include "passes/spell/spellings.def"
    default:
      return nullptr;
  }
}

// Whether what it passes on may be a sequence.
bool passes_untyped(const Graph& graph, const Node& node) {
  return (node.op == Op::Identity || node.op == Op::Merge) &&
         graph.values[node.inputs.back()].dtype == DType::undefined;
}

// The spelling of this node: that of its operator, or of its form.
SpellOut spelling_of(const Graph& graph, const Node& node, std::int64_t opset) {
  if (passes_untyped(graph, node)) return spell_passed_sequence;
  if (has_computed_axes(graph, node)) return spell_computed_axes;
  if (is_old_broadcast(node, opset)) return spell_old_broadcast;
  return takes_batch_statistics(node) ? spell_batch_statistics : spelling_of(node.op);
}

// Nodes whose dtype is not known are left for later; check_supported() has seen to the others.
Expected<bool> spell(Speller& s) {
  const SpellOut spelling = spelling_of(s.graph(), s.node(), s.opset());
  if (spelling == nullptr || !s.wants(0)) return false;
  if (s.has(0) && s.dtype() == DType::undefined && s.sequence(s.input(0)) == nullptr) return false;
  return spelling(s);
}

bool is_listed_sequence(const Node& node) {
  return node.op == Op::SequenceConstruct || node.op == Op::SequenceEmpty;
}

// Lists of tensors that no node reads. What is in a body may still read one.
void remove_sequences(Model& model) {
  Graph& graph = model.main();
  if (model.graphs.size() > 1 || std::ranges::none_of(graph.nodes, is_listed_sequence)) return;
  std::vector<bool> is_read(graph.values.size());
  for (const ValueId output : graph.outputs) is_read[output] = true;
  std::vector<bool> keep_nodes(graph.nodes.size(), true), keep_values(graph.values.size(), true);
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    if (is_listed_sequence(node) && !is_read[node.outputs[0]]) {
      keep_nodes[n] = keep_values[node.outputs[0]] = false;
      continue;
    }
    for (const ValueId input : node.inputs)
      if (input != kNone) is_read[input] = true;
  }
  compact(graph, keep_nodes, keep_values);
}

}  // namespace

Expected<bool> spell_operators(Model& model) {
  bool any = false;
  // What one operator is spelled in may be spelled out itself.
  for (bool again = true; again;) {
    if (std::ranges::none_of(model.main().nodes, [&](const Node& node) {
          return spelling_of(model.main(), node, model.opset) != nullptr;
        }))
      return any;
    Inference inference(model);
    SUBBYTE_TRY(again, spell_out(model, spell, &inference));
    any = any || again;
  }
  remove_sequences(model);
  return any;
}

Numbers axes_between(std::size_t first, std::size_t last) {
  Numbers axes(last - first);
  std::iota(axes.begin(), axes.end(), static_cast<std::int64_t>(first));
  return axes;
}

ValueId reduced(Speller& s, Op op, std::string_view what, ValueId value, const Numbers& axes,
                bool keep) {
  std::vector<Attribute> attributes;
  if (!keep) attributes.push_back(integer("keepdims", 0));
  return s.add(op, what, {value, s.int64s(std::string(what) + "_axes", axes)},
               std::move(attributes));
}

}  // namespace subbyte
