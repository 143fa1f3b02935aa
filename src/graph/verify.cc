// What holds of a model between any two steps.
#include <algorithm>
#include <unordered_set>

#include "base/text.h"
#include "graph/arithmetic.h"
#include "graph/ops.h"
#include "graph/text.h"

namespace subbyte {
namespace {

class Verifier {
 public:
  Verifier(const Model& model, std::size_t index)
      : model_(model), graph_(model.graphs[index]), index_(index) {}

  Expected<void> run() {
    SUBBYTE_CHECK_OK(check_lists());
    SUBBYTE_CHECK_OK(check_values());
    SUBBYTE_CHECK_OK(check_nodes());
    for (const ValueId output : graph_.outputs) {
      if (!is_defined_[output]) {
        return fail("output {} is computed by nothing", quoted(graph_.values[output].name));
      }
    }
    return {};
  }

 private:
  bool is_value(ValueId v) const { return v < graph_.values.size(); }

  Expected<void> check_lists() {
    for (const auto* list : {&graph_.inputs, &graph_.outputs}) {
      for (const ValueId v : *list) {
        if (!is_value(v))
          return fail("an input or output is value {} of {}", v, graph_.values.size());
      }
    }
    is_defined_.assign(graph_.values.size(), false);
    for (const ValueId input : graph_.inputs) {
      if (is_defined_[input]) {
        return fail("value {} is an input twice", quoted(graph_.values[input].name));
      }
      is_defined_[input] = true;
    }
    return {};
  }

  Expected<void> check_values() {
    std::unordered_set<std::string_view> names;
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      const Value& value = graph_.values[v];
      if (auto done = check_value(value); !done) {
        return within(fmt::format("value {}", quoted(value.name)), std::move(done.error()));
      }
      if (!names.insert(value.name).second) {
        return fail("two values have the name {}", quoted(value.name));
      }
      if (value.producer == kNone) {
        // A body sees values of the graphs around it; the main graph has none around it.
        if (value.constant || index_ != 0) is_defined_[v] = true;
      } else if (value.producer >= graph_.nodes.size()) {
        return fail("value {} is produced by node {} of {}", quoted(value.name), value.producer,
                    graph_.nodes.size());
      } else if (is_defined_[v]) {
        return fail("value {} is an input and the output of a node", quoted(value.name));
      }
    }
    return {};
  }

  Expected<void> check_value(const Value& value) const {
    for (const auto* list : {&value.shape, &value.content}) {
      for (const Expr e : list->value_or(std::vector<Expr>{})) {
        if (e.index >= model_.exprs.size()) return fail("an expression is not in the pool");
      }
    }
    for (const Expr dim : value.shape.value_or(std::vector<Expr>{})) {
      if (const auto size = model_.exprs.value(dim); size && *size < 0) {
        return fail("its shape has the size {}; a size must not be negative", *size);
      }
    }
    if (value.constant) SUBBYTE_CHECK_OK(check_tensor(*value.constant));
    if (!value.content) return {};
    if (!value.shape) return fail("it has content but no shape");
    std::int64_t count = 1;
    for (const Expr dim : *value.shape) {
      const auto size = model_.exprs.value(dim);
      if (!size) return fail("it has content, but its size is not a constant");
      count = saturating_mul(count, *size);
    }
    if (count != static_cast<std::int64_t>(value.content->size())) {
      return fail("its content has {} elements and its shape {}", value.content->size(), count);
    }
    return {};
  }

  static Expected<void> check_tensor(const Tensor& tensor) {
    std::int64_t count = 1;
    for (const std::int64_t dim : tensor.dims) {
      if (dim < 0) return fail("its constant has the negative size {}", dim);
      count = saturating_mul(count, dim);
    }
    const std::size_t size = dtype_size(tensor.dtype);
    const std::int64_t bytes = saturating_mul(count, static_cast<std::int64_t>(size));
    if (size != 0 && static_cast<std::uint64_t>(bytes) != tensor.data.size()) {
      return fail("its constant has {} bytes, but its dims need {}", tensor.data.size(), bytes);
    }
    return {};
  }

  Expected<void> check_nodes() {
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const auto id = static_cast<NodeId>(n);
      for (const auto* list : {&graph_.nodes[n].inputs, &graph_.nodes[n].outputs}) {
        for (const ValueId v : *list) {
          if (v != kNone && !is_value(v)) {
            return fail("node {} refers to value {} of {}", id, v, graph_.values.size());
          }
        }
      }
      if (auto done = check_node(id, graph_.nodes[n]); !done) {
        return within(describe(graph_, id), std::move(done.error()));
      }
    }
    for (const Value& value : graph_.values) {
      if (value.producer == kNone) continue;
      const auto& outputs = graph_.nodes[value.producer].outputs;
      const auto v = static_cast<ValueId>(&value - graph_.values.data());
      if (std::find(outputs.begin(), outputs.end(), v) == outputs.end()) {
        return fail("value {} is not an output of its producer, {}", quoted(value.name),
                    describe(graph_, value.producer));
      }
    }
    return {};
  }

  Expected<void> check_node(NodeId id, const Node& node) {
    for (const ValueId input : node.inputs) {
      if (input == kNone || is_defined_[input]) continue;
      return fail("its input {} is not computed before it", quoted(graph_.values[input].name));
    }
    for (const ValueId output : node.outputs) {
      if (output == kNone) continue;
      const Value& value = graph_.values[output];
      if (value.producer != id || is_defined_[output]) {
        return fail("its output {} has another origin too", quoted(value.name));
      }
      is_defined_[output] = true;
    }
    SUBBYTE_CHECK_OK(check_attributes(node));
    if (node.op == Op::Unknown) return {};
    if (static_cast<std::size_t>(node.op) > op_count())
      return fail("its operator is not in the table");
    return check_arity(node, op_info(node.op));
  }

  Expected<void> check_arity(const Node& node, const OpInfo& info) const {
    if (node.op_type != info.name || node.domain != info.domain) {
      return fail("it is called {} of domain {}, but its operator is {} of domain {}",
                  quoted(node.op_type), quoted(node.domain), info.name, quoted(info.domain));
    }
    if (node.inputs.size() > info.inputs_max) {
      return fail("it has {} inputs; {} takes at most {}", node.inputs.size(), info.name,
                  info.inputs_max);
    }
    // Older operator sets have attributes where the canonical form has inputs.
    for (std::uint32_t i = 0; i < info.inputs_min && model_.opset >= 18; ++i) {
      if (!node.has_input(i)) return fail("its input {} is missing; {} needs it", i, info.name);
    }
    if (node.outputs.size() > info.outputs_max) {
      return fail("it has {} outputs; {} gives at most {}", node.outputs.size(), info.name,
                  info.outputs_max);
    }
    return {};
  }

  Expected<void> check_attributes(const Node& node) const {
    std::unordered_set<std::string_view> names;
    for (const Attribute& attribute : node.attributes) {
      if (!names.insert(attribute.name).second) {
        return fail("it has the attribute {} twice", quoted(attribute.name));
      }
      if (const auto* body = std::get_if<GraphRef>(&attribute.value)) {
        if (body->graph >= model_.graphs.size() || body->graph == 0 || body->graph == index_) {
          return fail("its attribute {} is graph {} of {}", quoted(attribute.name), body->graph,
                      model_.graphs.size());
        }
      }
      if (const auto* tensor = std::get_if<Tensor>(&attribute.value)) {
        if (auto done = check_tensor(*tensor); !done) {
          return within(fmt::format("attribute {}", quoted(attribute.name)),
                        std::move(done.error()));
        }
      }
    }
    return {};
  }

  const Model& model_;
  const Graph& graph_;
  std::size_t index_;
  std::vector<bool> is_defined_;
};

}  // namespace

Expected<void> verify(const Model& model) {
  if (model.graphs.empty()) return fail("the model has no graph");
  for (std::size_t i = 0; i < model.graphs.size(); ++i) {
    if (auto done = Verifier(model, i).run(); !done) {
      return within(fmt::format("graph {}", quoted(model.graphs[i].name)), std::move(done.error()));
    }
  }
  for (const Symbol& symbol : model.exprs.symbols()) {
    if (symbol.source.kind != SymbolSource::Kind::result &&
        symbol.source.input >= model.main().inputs.size()) {
      return fail("symbol {} comes from input {} of {}", quoted(symbol.name), symbol.source.input,
                  model.main().inputs.size());
    }
  }
  for (const Model::Constraint& constraint : model.constraints) {
    if (constraint.condition.index >= model.exprs.size()) {
      return fail("the constraint {} is not in the pool", quoted(constraint.message));
    }
  }
  return {};
}

}  // namespace subbyte
