#include <algorithm>

#include "base/text.h"
#include "graph/ops.h"
#include "reference/call.h"

namespace subbyte::reference {

// One function for each family in the `reference` column of ops.def. Many rows share one.
#define OP(name, domain, since, in_min, in_max, out_max, dtypes, infer, reference, lower) \
  Result reference_##reference(const Call& call);
#include "graph/ops.def"
#undef OP

namespace {

Expected<void> check_arity(const Node& node, Inputs inputs) {
  const OpInfo& info = op_info(node.op);
  if (inputs.size() < info.inputs_min || inputs.size() > info.inputs_max) {
    std::string allowed = fmt::format("{}", info.inputs_min);
    if (info.inputs_max == kMany)
      allowed += " or more";
    else if (info.inputs_max != info.inputs_min)
      allowed += fmt::format(" to {}", info.inputs_max);
    return fail("{}: the node has {} inputs; it takes {}", info.name, inputs.size(), allowed);
  }
  if (node.outputs.size() > info.outputs_max)
    return fail("{}: the node has {} outputs; it gives at most {}", info.name, node.outputs.size(),
                info.outputs_max);
  const std::size_t required = info.inputs_max == kMany ? inputs.size() : info.inputs_min;
  for (std::size_t i = 0; i < required; ++i)
    if (inputs[i] == nullptr) return fail("{}: input {} is absent; it is required", info.name, i);
  return {};
}

Expected<void> check_input(const Node& node, std::size_t i, const Tensor& input) {
  const std::size_t size = dtype_size(input.dtype);
  if (size == 0)
    return fail("{}: input {} is {}, which subbyte does not compute with", node.op_type, i,
                dtype_name(input.dtype));
  auto count = count_elements(input.dims);
  if (!count) return within(fmt::format("{}: input {}", node.op_type, i), std::move(count.error()));
  // Divided and not multiplied: the product might not fit.
  if (input.data.size() % size != 0 || input.data.size() / size != static_cast<std::size_t>(*count))
    return fail("{}: input {} has shape {} ({}) and {} bytes of data, which do not agree",
                node.op_type, i, dims_text(input.dims), dtype_name(input.dtype), input.data.size());
  return {};
}

Result dispatch(const Call& call) {
  switch (call.node.op) {
#define OP(name, domain, since, in_min, in_max, out_max, dtypes, infer, reference, lower) \
  case Op::name:                                                                          \
    return reference_##reference(call);
#include "graph/ops.def"
#undef OP
    case Op::Unknown:
      break;
  }
  return fail("operator {} is not supported", quoted(call.node.op_type));
}

}  // namespace

bool carries_graph(const Node& node) {
  return std::ranges::any_of(node.attributes, [](const Attribute& attribute) {
    return std::holds_alternative<GraphRef>(attribute.value);
  });
}

Expected<void> check_call(const Call& call) {
  const Node& node = call.node;
  if (carries_graph(node)) return fail("operators with graphs inside are not supported");
  if (node.op == Op::Unknown) return fail("operator {} is not supported", quoted(node.op_type));
  SUBBYTE_CHECK_OK(check_arity(node, call.inputs));
  for (std::size_t i = 0; i < call.inputs.size(); ++i)
    if (call.inputs[i] != nullptr) SUBBYTE_CHECK_OK(check_input(node, i, *call.inputs[i]));
  return {};
}

Expected<std::vector<Tensor>> evaluate(const Node& node, Inputs inputs, std::int64_t max_bytes) {
  const Call call{node, inputs, max_bytes};
  SUBBYTE_CHECK_OK(check_call(call));
  return dispatch(call);
}

}  // namespace subbyte::reference
