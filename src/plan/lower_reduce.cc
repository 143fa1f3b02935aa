// Reductions: one result for each combination of the axes that are kept.
#include <fmt/format.h>

#include <algorithm>

#include "plan/lowering.h"

namespace subbyte {

namespace {

struct Reduction {
  std::string type;  // WGSL type of the accumulator
  std::string init;
  std::string load;     // of the element {0}
  std::string combine;  // of the accumulators a and b
  std::string finish;   // of the accumulator acc
};

// What the least and the greatest of no elements are, of the narrow dtypes too.
std::string lowest(DType dtype) {
  switch (dtype) {
    case DType::int8:
      return "-128i";
    case DType::int16:
      return "-32768i";
    case DType::int32:
    case DType::int64:
      return "(-2147483647i - 1i)";
    default:
      return is_integer(dtype) || dtype == DType::boolean ? "0u"
                                                          : "bitcast<f32>(nonfinite(0xff800000u))";
  }
}

std::string highest(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return "1u";
    case DType::uint8:
      return "255u";
    case DType::uint16:
      return "65535u";
    case DType::uint32:
    case DType::uint64:
      return "4294967295u";
    case DType::int8:
      return "127i";
    case DType::int16:
      return "32767i";
    default:
      return is_integer(dtype) ? "2147483647i" : "bitcast<f32>(nonfinite(0x7f800000u))";
  }
}

Reduction reduction(Op op, GpuType type, DType dtype) {
  const std::string t(wgsl_name(type));
  const bool f = type == GpuType::f32;
  const std::string zero = t + "(0)", sum = "a + b";
  switch (op) {
    case Op::ReduceL1:
      return {t, zero, type == GpuType::u32 ? "{0}" : "abs({0})", sum, "acc"};
    case Op::ReduceL2:
      return {t, zero, "{0} * {0}", sum, "sqrt(acc)"};
    case Op::ReduceLogSum:
      return {t, zero, "{0}", sum, "log_f32(acc)"};
    case Op::ReduceMean:
      return {t, zero, "{0}", sum, "acc / f32(inner())"};
    case Op::ReduceProd:
      return {t, t + "(1)", "{0}", "a * b", "acc"};
    case Op::ReduceSumSquare:
      return {t, zero, "{0} * {0}", sum, "acc"};
    case Op::ReduceMax:
      return {t, lowest(dtype), "{0}", f ? "maximum_f32(a, b)" : "max(a, b)", "acc"};
    case Op::ReduceMin:
      return {t, highest(dtype), "{0}", f ? "minimum_f32(a, b)" : "min(a, b)", "acc"};
    case Op::ReduceLogSumExp:
      // (maximum, sum of exp(x - maximum)), so that nothing overflows.
      return {"vec2<f32>", "vec2<f32>(bitcast<f32>(nonfinite(0xff800000u)), 0.0f)",
              "vec2<f32>({0}, 1.0f)", "log_sum_exp_join(a, b)", "acc.x + log_f32(acc.y)"};
    default:
      return {t, zero, "{0}", sum, "acc"};
  }
}

constexpr const char* kLogSumExpJoin =
    "fn log_sum_exp_join(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {\n"
    "  let top = maximum_f32(a.x, b.x);\n"
    "  let left = select(a.y * exp_f32(a.x - top), a.y, a.x == top);\n"
    "  let right = select(b.y * exp_f32(b.x - top), b.y, b.x == top);\n"
    "  return vec2<f32>(top, left + right);\n"
    "}\n";

std::vector<bool> reduced_axes(Lowering& lowering, const Node& node, std::size_t rank) {
  std::vector<bool> reduced(rank, false);
  const Value* axes = node.has_input(1) ? &lowering.graph().values[node.inputs[1]] : nullptr;
  const bool none = axes == nullptr || !axes->content || axes->content->empty();
  if (none) return std::vector<bool>(rank, node.int_or("noop_with_empty_axes", 0) == 0);
  for (const Expr axis : *axes->content) {
    const std::int64_t a = lowering.exprs().value(axis).value_or(0);
    reduced[static_cast<std::size_t>(a < 0 ? a + static_cast<std::int64_t>(rank) : a)] = true;
  }
  return reduced;
}

// Kept axes first, in order; then the reduced ones.
struct ReducedLast {
  ViewStep permute{ViewStep::Kind::permute, {}, {}, {}, {}};
  std::vector<Expr> kept, gone;
};

ReducedLast reduced_last(const std::vector<Expr>& shape, const std::vector<bool>& reduced) {
  ReducedLast order;
  for (const bool wanted : {false, true}) {
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (reduced[i] != wanted) continue;
      order.permute.permutation.push_back(static_cast<std::int64_t>(i));
      (wanted ? order.gone : order.kept).push_back(shape[i]);
    }
  }
  return order;
}

}  // namespace

Expected<void> lower_reduce(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  ExprPool& exprs = lowering.exprs();
  const std::vector<Expr> shape = lowering.shape(node.inputs[0]);
  const auto reduced = reduced_axes(lowering, node, shape.size());

  const auto [permute, kept, gone] = reduced_last(shape, reduced);
  const Expr outer = exprs.product(kept), inner = exprs.product(gone);
  const bool strided = !reduced.empty() && !reduced.back() && !kept.empty();
  const GpuType type = lowering.type(node.inputs[0]);
  const Reduction how = reduction(node.op, type, lowering.graph().values[node.inputs[0]].dtype);

  StepCode code(exprs, lowering.plan);
  code.declare(fmt::format("alias T = {};\n", how.type));
  code.declare_size("outer", outer);
  code.declare_size("inner", inner);
  code.declare(fmt::format("fn init() -> T {{ return {}; }}\n", how.init));
  if (node.op == Op::ReduceLogSumExp) code.declare(kLogSumExpJoin);
  code.declare(fmt::format("fn combine(a: T, b: T) -> T {{ return {}; }}\n", how.combine));

  Scope loads;
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, loads);
  SUBBYTE_TRY(const Typed x,
              reader.value(node.inputs[0], Frame{{{"o", outer}, {"r", inner}}}, {permute}));
  code.declare(
      loads.function("load(o: u32, r: u32) -> T", fmt::format(fmt::runtime(how.load), x.text)));

  const Frame frame{{{"o", outer}}};
  Scope stores;
  const std::string value = stores.let(how.finish);
  Evaluator epilogue(lowering.model, lowering.schedule, lowering.placement, code, stores,
                     KernelResult{node.outputs[0], value, type});
  SUBBYTE_TRY(const Typed y, epilogue.definition(kernel.result, frame));
  stores.line(store_result(lowering, code, epilogue, kernel.result, frame, {}, y.text));
  code.declare(stores.function("finish(o: u32, acc: T)"));

  std::vector<FormChoice> choices;
  for (auto& sized : reduce_forms(exprs, outer, inner, strided)) {
    choices.push_back(FormChoice{std::move(sized.form), sized.workgroups, sized.when});
  }
  add_step(lowering, step_name(lowering, kernel), code, {}, choices);
  return {};
}

}  // namespace subbyte
