// A scatter whose updates join what is there, in three steps: the data as words; each update joins
// the word that it lands on, atomically; the result. Without anything else to compute the words are
// the result.
#include <fmt/format.h>

#include "plan/scalar_wgsl.h"
#include "plan/scatter_code.h"

namespace subbyte {

namespace {

// The data, where the updates will join it.
Expected<void> lay_out(Lowering& lowering, const Kernel& kernel, const Node& node,
                       TensorId joined) {
  StepCode code(lowering.exprs(), lowering.plan);
  Scope scope;
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, scope);
  const Expr count = lowering.elements(node.inputs[0]);
  SUBBYTE_TRY(const Typed x, reader.value(node.inputs[0], Frame{{{"i", count}}}));
  scope.line(code.write_tensor(joined, x.type, "i", x.text));
  add_elementwise(lowering, kernel, code, scope, count);
  return {};
}

// The function join_at(at, value). There is no atomic addition of floats: the words are exchanged
// for as long as another update was faster.
std::string join_function(const std::string& words, GpuType type, const Joining& how,
                          std::string_view reduction) {
  const std::string t(wgsl_name(type));
  std::string body;
  if (reduction == "add" && type != GpuType::f32) {
    body = fmt::format("  atomicAdd(&{}[at], bitcast<u32>(value));\n", words);
  } else {
    body = fmt::format(
        "  var before = atomicLoad(&{0}[at]);\n"
        "  loop {{\n"
        "    let old = bitcast<{1}>(before);\n"
        "    let joined = bitcast<u32>({2});\n"
        "    if (joined == before) {{ return; }}\n"
        "    let exchange = atomicCompareExchangeWeak(&{0}[at], before, joined);\n"
        "    if (exchange.exchanged) {{ return; }}\n"
        "    before = exchange.old_value;\n"
        "  }}\n",
        words, t, how.join(type, "old", "value"));
  }
  return fmt::format("fn join_at(at: u32, value: {}) {{\n{}}}\n", t, body);
}

Expected<void> join(Lowering& lowering, const Kernel& kernel, const Node& node,
                    const Scatter& scatter, const Joining& how, TensorId joined) {
  ExprPool& exprs = lowering.exprs();
  const GpuType type = lowering.type(node.inputs[0]);
  StepCode code(exprs, lowering.plan);
  Scope scope;
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, scope);
  // Of slices, one invocation for each element of an update.
  const Expr count = updates(lowering, node, scatter);
  std::vector<std::string> at{"i", "0u"};
  std::vector<Expr> sizes{count, exprs.constant(1)};
  if (scatter.slices) {
    sizes[1] = scatter.sizes.back();
    at = split_index(code, scope, "i", sizes);
  }
  SUBBYTE_TRY(const std::string slot,
              landing_slot(lowering, node, scatter, code, scope, reader, at[0]));
  const std::string place =
      exprs.is(sizes[1], 1)
          ? slot
          : scope.let(fmt::format("{} * {} + {}", slot, code.size(sizes[1]), at[1]));
  SUBBYTE_TRY(const Typed update,
              reader.value(node.inputs[2], Frame{{{at[0], sizes[0]}, {at[1], sizes[1]}}}));
  code.declare(join_function(code.bind_atomic(joined), type, how, node.string_or("reduction", "")));
  scope.line(fmt::format("join_at({}, {});", place, update.text));
  add_elementwise(lowering, kernel, code, scope, exprs.mul(sizes[0], sizes[1]));
  return {};
}

Expected<void> finish(Lowering& lowering, const Kernel& kernel, const Node& node, TensorId joined) {
  const DType dtype = lowering.graph().values[node.inputs[0]].dtype;
  StepCode code(lowering.exprs(), lowering.plan);
  Scope scope;
  const Expr count = lowering.elements(node.inputs[0]);
  const Frame frame{{{"i", count}}};
  const Typed word = code.read_tensor(joined, lowering.type(node.inputs[0]), "i");
  const std::string value = scope.let(convert(word, dtype, dtype).text);
  Evaluator epilogue(lowering.model, lowering.schedule, lowering.placement, code, scope,
                     KernelResult{node.outputs[0], value, word.type});
  SUBBYTE_TRY(const Typed y, epilogue.definition(kernel.result, frame));
  scope.line(store_result(lowering, code, epilogue, kernel.result, frame, {}, y.text));
  add_elementwise(lowering, kernel, code, scope, count);
  return {};
}

// Whether its 32-bit word wraps where the dtype does.
bool fills_word(DType dtype) { return dtype_size(dtype) >= 4 || is_float(dtype); }

}  // namespace

Expected<void> lower_scatter_joined(Lowering& lowering, const Kernel& kernel,
                                    const Scatter& scatter, const Joining& how) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  const bool is_result =
      kernel.result == node.outputs[0] && fills_word(lowering.graph().values[node.inputs[0]].dtype);
  TensorId joined = 0;
  if (is_result) {
    joined = lowering.placement.tensors.at(kernel.result);
  } else {
    joined = static_cast<TensorId>(lowering.plan.tensors.size());
    lowering.plan.tensors.push_back(PlanTensor{lowering.elements(node.inputs[0])});
  }
  SUBBYTE_CHECK_OK(lay_out(lowering, kernel, node, joined));
  SUBBYTE_CHECK_OK(join(lowering, kernel, node, scatter, how, joined));
  return is_result ? Expected<void>() : finish(lowering, kernel, node, joined);
}

}  // namespace subbyte
