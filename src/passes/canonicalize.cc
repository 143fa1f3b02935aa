#include <algorithm>

#include "base/text.h"
#include "graph/infer.h"
#include "graph/narrow_float.h"
#include "passes/canonicalize_rules.h"
#include "passes/passes.h"

namespace subbyte {

ConstantMaker::ConstantMaker(ExprPool& exprs, Graph& graph) : exprs_(exprs), graph_(graph) {}

ValueId ConstantMaker::add_int64s(const Node& node, std::string_view what,
                                  std::span<const std::int64_t> values) {
  return add(node, what, make_int64_tensor({static_cast<std::int64_t>(values.size())}, values));
}

ValueId ConstantMaker::add(const Node& node, std::string_view what, Tensor tensor) {
  Value value;
  value.name = unique_name(node, what);
  value.dtype = tensor.dtype;
  value.shape.emplace();
  for (const std::int64_t dim : tensor.dims) value.shape->push_back(exprs_.constant(dim));
  value.constant = std::move(tensor);
  return graph_.add_value(std::move(value));
}

ValueId ConstantMaker::add_value(const Node& node, std::string_view what) {
  Value value;
  value.name = unique_name(node, what);
  return graph_.add_value(std::move(value));
}

std::string ConstantMaker::unique_name(const Node& node, std::string_view what) {
  if (names_.empty()) {
    for (const Value& value : graph_.values) names_.insert(value.name);
  }
  std::string base = node.name;
  for (const ValueId output : node.outputs) {
    if (output != kNone) {
      base = graph_.values[output].name;
      break;
    }
  }
  base += "_";
  base += what;
  std::string name = base;
  for (int i = 1; !names_.insert(name).second; ++i) name = fmt::format("{}_{}", base, i);
  return name;
}

void remove_attribute(Node& node, std::string_view name) {
  std::erase_if(node.attributes, [&](const Attribute& a) { return a.name == name; });
}

void set_attribute(Node& node, std::string_view name, AttributeValue value) {
  for (Attribute& attribute : node.attributes) {
    if (attribute.name != name) continue;
    attribute.value = std::move(value);
    return;
  }
  node.attributes.push_back({std::string(name), std::move(value)});
}

void set_input(Node& node, std::size_t position, ValueId value) {
  if (node.inputs.size() <= position) node.inputs.resize(position + 1, kNone);
  node.inputs[position] = value;
}

Expected<bool> canonicalize_known(Model& model) {
  SUBBYTE_TRY(bool any, canonicalize_quantized(model));
  if (any) SUBBYTE_CHECK_OK(infer(model));
  SUBBYTE_CHECK_OK(canonicalize_windows(model));
  for (const auto rule : {spell_operators, canonicalize_forms}) {
    SUBBYTE_TRY(const bool changed, rule(model));
    if (changed) SUBBYTE_CHECK_OK(infer(model));
    any = any || changed;
  }
  return any;
}

namespace {

// A file may say another dtype of an output than what computes it gives.
Expected<void> check_outputs(const Graph& graph) {
  for (const ValueId output : graph.outputs) {
    const Value& value = graph.values[output];
    const int bits = integer_bits(value.dtype);
    if (is_narrow_float(value.dtype) || (bits > 0 && bits < 8))
      return fail_as(ErrorKind::unsupported,
                     "output {} is {}, which subbyte computes with and does not give; cast it to a "
                     "float of 16 bits or an integer of 8 bits or more",
                     quoted(value.name), dtype_name(value.dtype));
  }
  return {};
}

}  // namespace

Expected<void> canonicalize(Model& model) {
  name_outputs(model);
  for (Graph& graph : model.graphs) SUBBYTE_CHECK_OK(canonicalize_attributes(model, graph));
  SUBBYTE_CHECK_OK(unpack_quantized(model));
  // Ranks that follow from what is spelled out are known to all rules after it.
  SUBBYTE_CHECK_OK(spell_operators(model));
  SUBBYTE_CHECK_OK(infer(model));
  for (Graph& graph : model.graphs) SUBBYTE_CHECK_OK(canonicalize_shaped(model, graph));
  model.opset = std::max<std::int64_t>(model.opset, 18);
  SUBBYTE_CHECK_OK(infer(model));
  SUBBYTE_CHECK_OK(canonicalize_known(model));
  return check_outputs(model.main());
}

}  // namespace subbyte
