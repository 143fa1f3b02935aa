// Reductions: one result for each combination of the axes that are kept.
#include <fmt/core.h>

#include "graph/node_form.h"
#include "graph/ops.h"
#include "plan/index_code.h"
#include "plan/reduce_code.h"
#include "plan/scalar_wgsl.h"
#include "plan/watch_code.h"

namespace subbyte {

namespace {

struct Reduction {
  Accumulator accumulator;
  std::string load;    // of the element {0}
  std::string finish;  // of the accumulator acc
};

Reduction reduction(Op op, GpuType type, DType dtype) {
  const std::string t(wgsl_name(type));
  const Accumulator sum{t, t + "(0)", "a + b"};
  switch (op) {
    case Op::ReduceL1:
      return {sum, type == GpuType::u32 ? "{0}" : "abs({0})", "acc"};
    case Op::ReduceL2:
      return {sum, "{0} * {0}", "sqrt(acc)"};
    case Op::ReduceLogSum:
      return {sum, "{0}", "log_f32(acc)"};
    case Op::ReduceMean:
      return {sum, "{0}", "acc / f32(max(inner(), 1u))"};
    case Op::ReduceProd:
      return {{t, t + "(1)", "a * b"}, "{0}", "acc"};
    case Op::ReduceSumSquare:
      return {sum, "{0} * {0}", "acc"};
    case Op::ReduceMax:
      return {{t, lowest_literal(dtype), extreme(true, type, "a", "b")}, "{0}", "acc"};
    case Op::ReduceMin:
      return {{t, highest_literal(dtype), extreme(false, type, "a", "b")}, "{0}", "acc"};
    case Op::ReduceLogSumExp:
      // (maximum, sum of exp(x - maximum)), so that nothing overflows.
      return {{"vec2<f32>", "vec2<f32>(bitcast<f32>(nonfinite(0xff800000u)), 0.0f)",
               "log_sum_exp_join(a, b)"},
              "vec2<f32>({0}, 1.0f)",
              "acc.x + log_f32(acc.y)"};
    default:
      return {sum, "{0}", "acc"};
  }
}

Joined joined_by(Op op) {
  switch (op) {
    case Op::ReduceL1:
      return Joined::magnitudes;
    case Op::ReduceSumSquare:
      return Joined::squares;
    case Op::ReduceProd:
      return Joined::product;
    default:
      return Joined::sum;
  }
}

constexpr const char* kLogSumExpJoin =
    "fn log_sum_exp_join(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {\n"
    "  let top = maximum_f32(a.x, b.x);\n"
    "  let left = select(a.y * exp_f32(a.x - top), a.y, a.x == top);\n"
    "  let right = select(b.y * exp_f32(b.x - top), b.y, b.x == top);\n"
    "  return vec2<f32>(top, left + right);\n"
    "}\n";

// The elements of input 0 with the reduced axes last: outer results of inner elements each.
struct Rows {
  ViewStep permute;
  Expr outer, inner;
  bool strided = false;
};

Rows rows_of(Lowering& lowering, const Node& node, const std::vector<bool>& reduced) {
  const auto [permute, kept, gone] = reduced_last(lowering.shape(node.inputs[0]), reduced);
  const bool strided = !reduced.empty() && !reduced.back() && !kept.empty();
  return {permute, lowering.exprs().product(kept), lowering.exprs().product(gone), strided};
}

Expected<Typed> element(Lowering& lowering, StepCode& code, Scope& loads, const Node& node,
                        const Rows& rows) {
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, loads);
  return reader.value(node.inputs[0], Frame{{{"o", rows.outer}, {"r", rows.inner}}},
                      {rows.permute});
}

}  // namespace

Expected<void> lower_reduce(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  const Rows rows = rows_of(lowering, node, reduced_axes(lowering.graph(), node));
  const GpuType type = lowering.type(node.inputs[0]);
  Reduction how = reduction(node.op, type, lowering.graph().values[node.inputs[0]].dtype);

  Typed result{how.finish, type};
  if (const std::uint32_t number = lowering.schedule.watched[node.outputs[0]]; number != 0) {
    const WatchedJoining watched = watched_joining(joined_by(node.op), type);
    how = {watched.accumulator, watched.load, watched.finish};
    result = joined_value(watched, type, number, "acc");
  }

  StepCode code(lowering.exprs(), lowering.plan);
  if (node.op == Op::ReduceLogSumExp) code.declare(kLogSumExpJoin);
  declare_accumulator(code, how.accumulator, rows.outer, rows.inner);
  Scope loads;
  SUBBYTE_TRY(const Typed x, element(lowering, code, loads, node, rows));
  code.declare(
      loads.function("load(o: u32, r: u32) -> T", fmt::format(fmt::runtime(how.load), x.text)));
  Scope stores;
  return finish_reduction(lowering, kernel, code, stores, result, rows.outer, rows.inner,
                          rows.strided);
}

Expected<void> lower_arg_reduce(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  std::vector<bool> reduced(lowering.shape(node.inputs[0]).size(), false);
  reduced[axis_of(node)] = true;
  const Rows rows = rows_of(lowering, node, reduced);

  StepCode code(lowering.exprs(), lowering.plan);
  declare_best(code, lowering.graph().values[node.inputs[0]].dtype, node.op == Op::ArgMin,
               node.int_or("select_last_index", 0) != 0, rows.outer, rows.inner);
  Scope loads;
  SUBBYTE_TRY(const Typed x, element(lowering, code, loads, node, rows));
  // As ONNX Runtime, which compares with what it found so far: NaN is found at the start only.
  if (x.type == GpuType::f32) {
    loads.line(fmt::format("if (r > 0u && is_nan({})) {{ return init(); }}", x.text));
  }
  code.declare(loads.function("load(o: u32, r: u32) -> T", fmt::format("T({}, r)", x.text)));
  Scope stores;
  // Of no elements there is none; ONNX says nothing of it.
  const std::string index = fmt::format("select(i32(acc.index), 0i, acc.index == {})", kNoIndex);
  return finish_reduction(lowering, kernel, code, stores, {index, GpuType::i32}, rows.outer,
                          rows.inner, rows.strided);
}

}  // namespace subbyte
