#include "passes/spell_out.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "graph/ops.h"
#include "passes/constant_origin.h"
#include "reference/element.h"

namespace subbyte {

Size operator*(Size a, const Size& b) {
  a.number *= b.number;
  a.axes.insert(a.axes.end(), b.axes.begin(), b.axes.end());
  return a;
}

std::optional<std::size_t> Speller::rank(ValueId id) const {
  if (id == kNone || !value(id).shape) return std::nullopt;
  return value(id).shape->size();
}

Expected<void> Speller::needs(std::initializer_list<std::size_t> inputs) const {
  for (const std::size_t i : inputs)
    if (!has(i)) return fail("its input {} is missing; {} needs it", i, op_info(node_.op).name);
  return {};
}

bool Speller::wants(std::size_t i) const {
  return i < node_.outputs.size() && node_.outputs[i] != kNone;
}

Node Speller::made(Op op, std::vector<ValueId> inputs, std::vector<Attribute> attributes) const {
  Node node;
  node.op = op;
  node.op_type = std::string(op_info(op).name);
  node.name = node_.name;
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  return node;
}

void Speller::append(Node node) {
  const NodeId id = graph_.add_node(std::move(node));
  if (context_.inference != nullptr && status_) status_ = context_.inference->next(id);
}

ValueId Speller::add(Op op, std::string_view what, std::vector<ValueId> inputs,
                     std::vector<Attribute> attributes) {
  const ValueId output = constants_.add_value(node_, what);
  Node node = made(op, std::move(inputs), std::move(attributes));
  node.outputs = {output};
  append(std::move(node));
  return output;
}

std::vector<ValueId> Speller::split(std::string_view what, ValueId value, std::int64_t axis,
                                    std::span<const std::int64_t> sizes) {
  const ValueId list = int64s(std::string(what) + "_sizes", sizes);
  Node node = made(Op::Split, {value, list}, {{"axis", axis}});
  for (std::size_t i = 0; i < sizes.size(); ++i)
    node.outputs.push_back(constants_.add_value(node_, what));
  std::vector<ValueId> outputs = node.outputs;
  append(std::move(node));
  return outputs;
}

std::vector<ValueId> Speller::add_several(Op op, std::string_view what, std::size_t outputs,
                                          std::vector<ValueId> inputs,
                                          std::vector<Attribute> attributes) {
  Node node = made(op, std::move(inputs), std::move(attributes));
  for (std::size_t i = 0; i < outputs; ++i)
    node.outputs.push_back(constants_.add_value(node_, fmt::format("{}_{}", what, i)));
  std::vector<ValueId> values = node.outputs;
  append(std::move(node));
  return values;
}

void Speller::take_name(ValueId constant, ValueId from) {
  std::swap(graph_.values[constant].name, graph_.values[from].name);
}

void Speller::give(std::size_t i, Op op, std::vector<ValueId> inputs,
                   std::vector<Attribute> attributes) {
  if (!wants(i)) return;
  Node node = made(op, std::move(inputs), std::move(attributes));
  node.outputs = {node_.outputs[i]};
  append(std::move(node));
}

void Speller::finish(Op op, std::vector<ValueId> inputs, std::vector<Attribute> attributes) {
  Node node = made(op, std::move(inputs), std::move(attributes));
  node.outputs = {node_.outputs[0]};
  append(std::move(node));
}

void Speller::finish(std::size_t i, ValueId value) {
  Node node = made(Op::Identity, {value}, {});
  node.outputs = {node_.outputs[i]};
  append(std::move(node));
}

std::optional<std::vector<std::int64_t>> Speller::known_sizes(ValueId id) const {
  const auto& shape = value(id).shape;
  if (!shape) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (const Expr e : *shape) {
    const auto number = number_of(e);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

std::optional<std::vector<std::int64_t>> Speller::numbers(ValueId id) const {
  if (id == kNone) return std::nullopt;
  if (const Tensor* tensor = constant(id)) return integer_values(*tensor);
  const auto& content = value(id).content;
  if (!content) return std::nullopt;
  std::vector<std::int64_t> elements;
  for (const Expr e : *content) {
    const auto element = model_.exprs.value(e);
    if (!element) return std::nullopt;
    elements.push_back(*element);
  }
  return elements;
}

const std::vector<ValueId>* Speller::sequence(ValueId value) const {
  const auto found = context_.sequences.find(value);
  return found == context_.sequences.end() ? nullptr : &found->second;
}

void Speller::know_sequence(std::vector<ValueId> tensors) {
  context_.sequences.insert_or_assign(node_.outputs[0], std::move(tensors));
}

void Speller::finish_sequence(std::vector<ValueId> tensors) {
  finish(tensors.empty() ? Op::SequenceEmpty : Op::SequenceConstruct, tensors);
  know_sequence(std::move(tensors));
}

ValueId Speller::int64s(std::string_view what, std::span<const std::int64_t> values) {
  return constants_.add_int64s(node_, what, values);
}

ValueId Speller::range(std::string_view what, ValueId count) {
  const std::int64_t zero = 0, one = 1;
  return add(Op::Range, what,
             {constant("zero", make_int64_tensor({}, std::span(&zero, 1))), count,
              constant("one", make_int64_tensor({}, std::span(&one, 1)))});
}

Tensor Speller::ones(DType dtype) {
  const double one = 1;
  return reference::tensor_from(dtype, {1}, std::span(&one, 1));
}

ValueId Speller::floats(std::string_view what, std::vector<std::int64_t> dims,
                        std::span<const double> values) {
  return constants_.add(node_, what, reference::tensor_from(dtype(), std::move(dims), values));
}

ValueId Speller::defined(std::string_view what, Tensor tensor) {
  const ValueId id = constant(what, std::move(tensor));
  graph_.values[id].is_defined = true;
  return id;
}

ValueId Speller::number(std::string_view what, double value) {
  return number(what, dtype(), value);
}

ValueId Speller::number(std::string_view what, DType dtype, double value) {
  return constants_.add(node_, what, reference::scalar_from(dtype, value));
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
  const ValueId made = constants_.add(node_, what, std::move(tensor));
  inherit_origin(graph_.values[made], graph_.values[value]);
  return made;
}

std::size_t Speller::known_rank(ValueId id) {
  if (const auto known = rank(id)) return *known;
  if (status_)
    status_ = fail_as(ErrorKind::unsupported,
                      "the rank of {} is not known when converting, which spelling it out needs",
                      quoted(value(id).name));
  return 0;
}

std::optional<std::int64_t> Speller::known_size(ValueId id, std::size_t axis) {
  if (axis >= known_rank(id)) return std::nullopt;
  return model_.exprs.value((*value(id).shape)[axis]);
}

Size Speller::size(ValueId id, std::size_t axis) {
  if (axis >= known_rank(id)) return {};
  if (const auto known = known_size(id, axis)) return size_of(*known);
  return {1, {{id, axis}}};
}

ValueId Speller::sizes(std::string_view what, std::span<const Size> sizes) {
  std::vector<ValueId> parts;
  std::vector<std::int64_t> numbers;
  const auto end_numbers = [&] {
    if (!numbers.empty()) parts.push_back(int64s(what, numbers));
    numbers.clear();
  };
  for (const Size& size : sizes) {
    if (size.axes.empty()) {
      numbers.push_back(size.number);
      continue;
    }
    end_numbers();
    ValueId product = kNone;
    if (size.number != 1) product = int64s(what, {size.number});
    for (const auto& [value, axis] : size.axes) {
      const auto at = static_cast<std::int64_t>(axis);
      const ValueId one = add(Op::Shape, what, {value}, {{"start", at}, {"end", at + 1}});
      product = product == kNone ? one : add(Op::Mul, what, {product, one});
    }
    parts.push_back(product);
  }
  end_numbers();
  if (parts.empty()) return int64s(what, {});
  if (parts.size() == 1) return parts.front();
  return add(Op::Concat, what, std::move(parts), {{"axis", std::int64_t{0}}});
}

// A size that stays in its place is written as 0, as exporters do.
ValueId Speller::reshape(std::string_view what, ValueId value, std::vector<Size> target) {
  const bool has_zero =
      std::ranges::any_of(target, [](const Size& s) { return s.axes.empty() && s.number == 0; });
  for (std::size_t i = 0; i < target.size() && !has_zero; ++i)
    if (target[i] == Size{1, {{value, i}}}) target[i] = size_of(0);
  const ValueId shape = sizes(std::string(what) + "_shape", target);
  std::vector<Attribute> attributes;
  if (has_zero) attributes.push_back({"allowzero", std::int64_t{1}});
  return add(Op::Reshape, what, {value, shape}, std::move(attributes));
}

ValueId Speller::transpose(std::string_view what, ValueId value, std::vector<std::int64_t> order) {
  return add(Op::Transpose, what, {value}, {{"perm", std::move(order)}});
}

ValueId Speller::cast(std::string_view what, ValueId id, DType dtype) {
  if (value(id).dtype == dtype) return id;
  return add(Op::Cast, what, {id}, {{"to", static_cast<std::int64_t>(dtype)}});
}

ValueId Speller::slice(std::string_view what, ValueId value, std::int64_t axis, ValueId start,
                       ValueId end) {
  const std::string name(what);
  return add(Op::Slice, what,
             {value, start, end, int64s(name + "_axis", {axis}), int64s(name + "_step", {1})});
}

namespace {

// The outputs that the nodes from `first` on do not compute have no producer any more.
Expected<void> release_outputs(Graph& graph, const Node& node, std::size_t first,
                               const std::vector<bool>& is_read) {
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId output = node.outputs[i];
    const bool computed = std::any_of(
        graph.nodes.begin() + static_cast<std::ptrdiff_t>(first), graph.nodes.end(),
        [&](const Node& added) { return std::ranges::count(added.outputs, output) > 0; });
    if (computed) continue;
    if (is_read[output])
      return fail_as(ErrorKind::unsupported,
                     "its output {} is read, which subbyte does not compute", i);
    graph.values[output].producer = kNone;
  }
  return {};
}

std::vector<bool> find_read(const Graph& graph) {
  std::vector<bool> read(graph.values.size());
  for (const Node& node : graph.nodes)
    for (const ValueId input : node.inputs)
      if (input != kNone) read[input] = true;
  for (const ValueId output : graph.outputs) read[output] = true;
  return read;
}

}  // namespace

Expected<bool> spell_out(Model& model, const SpellOut& spell, Inference* inference) {
  Graph& graph = model.main();
  ConstantMaker constants(model.exprs, graph);
  const std::vector<bool> is_read = find_read(graph);
  const std::vector<Node> nodes = std::exchange(graph.nodes, {});
  SpellContext context{nodes, inference};
  bool any = false;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    const std::size_t first = graph.nodes.size();
    Speller speller(model, constants, nodes[n], context);
    const auto status = [&]() -> Expected<void> {
      const bool runs = inference == nullptr || inference->at(static_cast<NodeId>(n));
      bool done = false;
      if (runs) {
        SUBBYTE_TRY(done, spell(speller));
      }
      if (!done) {
        speller.replace(nodes[n]);
        return speller.status();
      }
      any = true;
      SUBBYTE_CHECK_OK(speller.status());
      return release_outputs(graph, nodes[n], first, is_read);
    }();
    if (status) continue;
    graph.nodes = nodes;
    return within(describe(graph, static_cast<NodeId>(n)), Error(status.error()));
  }
  return any;
}

}  // namespace subbyte
