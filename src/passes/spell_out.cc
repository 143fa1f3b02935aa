#include "passes/spell_out.h"

#include <algorithm>
#include <utility>

#include "graph/ops.h"
#include "reference/element.h"

namespace subbyte {

std::optional<std::size_t> Speller::rank() const {
  const auto& shape = value(input(0)).shape;
  return shape ? std::optional(shape->size()) : std::nullopt;
}

void Speller::append(Op op, std::vector<ValueId> inputs, ValueId output,
                     std::vector<Attribute> attributes) {
  Node node;
  node.op = op;
  node.op_type = std::string(op_info(op).name);
  node.name = node_.name;
  node.inputs = std::move(inputs);
  node.outputs = {output};
  node.attributes = std::move(attributes);
  graph_.add_node(std::move(node));
}

ValueId Speller::add(Op op, std::string_view what, std::vector<ValueId> inputs,
                     std::vector<Attribute> attributes) {
  const ValueId output = constants_.add_value(node_, what);
  append(op, std::move(inputs), output, std::move(attributes));
  return output;
}

void Speller::finish(Op op, std::vector<ValueId> inputs, std::vector<Attribute> attributes) {
  append(op, std::move(inputs), node_.outputs[0], std::move(attributes));
}

std::optional<std::vector<std::int64_t>> Speller::numbers(ValueId id) const {
  if (id == kNone) return std::nullopt;
  if (const Tensor* tensor = constant(id)) return integer_values(*tensor);
  const auto& content = value(id).content;
  if (!content) return std::nullopt;
  std::vector<std::int64_t> elements;
  for (const Expr e : *content) {
    const auto element = exprs_.value(e);
    if (!element) return std::nullopt;
    elements.push_back(*element);
  }
  return elements;
}

ValueId Speller::int64s(std::string_view what, std::span<const std::int64_t> values) {
  return constants_.add_int64s(node_, what, values);
}

ValueId Speller::floats(std::string_view what, std::vector<std::int64_t> dims,
                        std::span<const double> values) {
  return constants_.add(node_, what, reference::tensor_from(dtype(), std::move(dims), values));
}

ValueId Speller::number(std::string_view what, double value) {
  return floats(what, {}, std::span(&value, 1));
}

ValueId Speller::reshaped(std::string_view what, ValueId value, std::vector<std::int64_t> dims) {
  const Tensor* known = graph_.constant(value);
  if (known == nullptr)
    return add(Op::Reshape, what, {value, int64s(std::string(what) + "_shape", dims)});
  // The caller's -1 is what the others leave.
  std::int64_t others = 1;
  for (const std::int64_t dim : dims) others *= dim == -1 ? 1 : dim;
  Tensor tensor = *known;
  for (std::int64_t& dim : dims)
    if (dim == -1) dim = tensor.elements() / others;
  tensor.dims = std::move(dims);
  return constants_.add(node_, what, std::move(tensor));
}

Expected<bool> spell_out(Model& model, SpellOut spell) {
  Graph& graph = model.main();
  ConstantMaker constants(model.exprs, graph);
  const std::vector<Node> nodes = std::exchange(graph.nodes, {});
  bool any = false;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    Speller speller(model.exprs, graph, constants, nodes[n]);
    auto done = spell(speller);
    if (!done) {
      graph.nodes = nodes;
      return within(describe(graph, static_cast<NodeId>(n)), std::move(done.error()));
    }
    if (!*done) {
      graph.add_node(nodes[n]);
      continue;
    }
    any = true;
    // Nothing reads those that the spelling does not compute; check_supported() has seen to it.
    const auto added = static_cast<NodeId>(graph.nodes.size() - 1);
    for (const ValueId output : std::span(nodes[n].outputs).subspan(1))
      if (std::ranges::count(graph.nodes[added].outputs, output) == 0)
        graph.values[output].producer = kNone;
  }
  return any;
}

}  // namespace subbyte
