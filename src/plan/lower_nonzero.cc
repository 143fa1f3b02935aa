// NonZero, in two segments: a scan counts the elements that are not 0 before each and leaves their
// positions in order; when their number is known, their coordinates are written.
#include <fmt/core.h>

#include "plan/plan_segments.h"
#include "plan/scalar_wgsl.h"
#include "plan/scan_code.h"
#include "plan/scatter_code.h"

namespace subbyte {

namespace {

struct Found {
  TensorId positions;  // row-major, in order
  TensorId count;      // of one word
};

// 1 where element i is not 0.
Expected<std::string> is_found(Lowering& lowering, const Node& node, StepCode& code, Scope& scope,
                               const std::string& i) {
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, scope);
  const Expr elements = lowering.elements(node.inputs[0]);
  SUBBYTE_TRY(const Typed x, reader.value(node.inputs[0], Frame{{{i, elements}}}));
  const DType dtype = lowering.graph().values[node.inputs[0]].dtype;
  return scope.let(convert(x, dtype, DType::boolean).text);
}

Expected<void> find(Lowering& lowering, const Kernel& kernel, const Node& node,
                    const Found& found) {
  Scan scan;
  scan.accumulator = {"u32", "0u", "a + b"};
  scan.type = GpuType::u32;
  scan.lines = lowering.exprs().constant(1);
  scan.length = lowering.elements(node.inputs[0]);
  scan.exclusive = true;
  scan.load = [&](StepCode& code, Scope& scope, const std::string&,
                  const std::string& i) -> Expected<Typed> {
    SUBBYTE_TRY(const std::string is, is_found(lowering, node, code, scope, i));
    return Typed{is, GpuType::u32};
  };
  scan.store = [&](StepCode& code, Scope& scope) -> Expected<void> {
    SUBBYTE_TRY(const std::string is, is_found(lowering, node, code, scope, "i"));
    scope.line(fmt::format("if ({} != 0u) {{ {} }}", is,
                           code.write_tensor(found.positions, GpuType::u32, "acc", "i")));
    scope.line(fmt::format(
        "if (i + 1u == length()) {{ {} }}",
        code.write_tensor(found.count, GpuType::u32, "0u", fmt::format("acc + {}", is))));
    return {};
  };
  return add_scan(lowering, step_name(lowering, kernel), scan);
}

Expected<void> write_coordinates(Lowering& lowering, const Kernel& kernel, const Node& node,
                                 const Found& found) {
  const std::vector<Expr> sizes = lowering.shape(node.outputs[0]);
  const std::vector<Expr> shape = lowering.shape(node.inputs[0]);
  StepCode code(lowering.exprs(), lowering.plan);
  Scope scope;
  const auto at = split_index(code, scope, "i", sizes);
  const std::string position =
      scope.let(code.read_tensor(found.positions, GpuType::u32, at[1]).text);
  const auto coordinates = split_index(code, scope, position, shape);
  std::string text = coordinates.back();
  for (std::size_t axis = coordinates.size() - 1; axis-- > 0;) {
    text =
        scope.let(fmt::format("select({}, {}, {} == {}u)", text, coordinates[axis], at[0], axis));
  }
  const std::string value = scope.let(fmt::format("i32({})", text));
  const Frame frame{{{at[0], sizes[0]}, {at[1], sizes[1]}}};
  Evaluator epilogue(lowering.model, lowering.schedule, lowering.placement, code, scope,
                     KernelResult{node.outputs[0], value, GpuType::i32});
  SUBBYTE_TRY(const Typed y, epilogue.definition(kernel.result, frame));
  scope.line(store_result(lowering, code, epilogue, kernel.result, frame, {}, y.text));
  add_elementwise(lowering, kernel, code, scope, lowering.elements(node.outputs[0]));
  return {};
}

}  // namespace

Expected<void> lower_nonzero(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  const Expr most = lowering.elements(node.inputs[0]);
  Plan& plan = lowering.plan;
  const auto next = static_cast<TensorId>(plan.tensors.size());
  const Found found{next, next + 1};
  plan.tensors.push_back(PlanTensor{most});
  plan.tensors.push_back(PlanTensor{lowering.exprs().constant(1)});
  SUBBYTE_CHECK_OK(find(lowering, kernel, node, found));
  end_segment(plan, PlanSymbol{lowering.shape(node.outputs[0])[1], found.count, most});
  return write_coordinates(lowering, kernel, node, found);
}

}  // namespace subbyte
