#include "plan/reduce_code.h"

#include <fmt/core.h>

namespace subbyte {

std::string lowest_literal(DType dtype) {
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

std::string highest_literal(DType dtype) {
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

void declare_accumulator(StepCode& code, const Accumulator& accumulator, Expr outer, Expr inner) {
  code.declare(fmt::format("alias T = {};\n", accumulator.type));
  code.declare_size("outer", outer);
  code.declare_size("inner", inner);
  code.declare(fmt::format("fn init() -> T {{ return {}; }}\n", accumulator.init));
  code.declare(fmt::format("fn combine(a: T, b: T) -> T {{ return {}; }}\n", accumulator.combine));
}

void declare_best(StepCode& code, DType dtype, bool least, bool last, Expr outer, Expr inner) {
  const GpuType type = gpu_type(dtype).value_or(GpuType::f32);
  const bool f = type == GpuType::f32;
  code.declare(fmt::format("struct T {{\n  value: {},\n  index: u32,\n}}\n", wgsl_name(type)));
  code.declare_size("outer", outer);
  code.declare_size("inner", inner);
  code.declare(fmt::format("fn init() -> T {{ return T({}, {}); }}\n",
                           least ? highest_literal(dtype) : lowest_literal(dtype), kNoIndex));
  // One that was never found gives way to any that was.
  const std::string later =
      last ? fmt::format("a.index == {0} || (b.index != {0} && b.index > a.index)", kNoIndex)
           : "b.index < a.index";
  code.declare(
      fmt::format("fn combine(a: T, b: T) -> T {{\n"
                  "  let better = b.value {} a.value{};\n"
                  "  let equal = (b.value == a.value{}) && ({});\n"
                  "  if (better || equal) {{ return b; }}\n"
                  "  return a;\n"
                  "}}\n",
                  least ? "<" : ">", f ? " || (is_nan(b.value) && !is_nan(a.value))" : "",
                  f ? " || (is_nan(b.value) && is_nan(a.value))" : "", later));
}

Expected<void> finish_reduction(Lowering& lowering, const Kernel& kernel, StepCode& code,
                                Scope& stores, const Typed& value, Expr outer, Expr inner,
                                bool strided) {
  const Frame frame{{{"o", outer}}};
  const std::string name = stores.let(value.text);
  const ValueId computed = lowering.graph().nodes[kernel.anchor].outputs[0];
  Evaluator epilogue(lowering.model, lowering.schedule, lowering.placement, code, stores,
                     KernelResult{computed, name, value.type, value.watch});
  SUBBYTE_TRY(const Typed y, epilogue.definition(kernel.result, frame));
  stores.line(store_result(lowering, code, epilogue, kernel.result, frame, {}, y.text));
  code.declare(stores.function("finish(o: u32, acc: T)"));
  std::vector<FormChoice> choices;
  for (auto& sized : reduce_forms(lowering.exprs(), outer, inner, strided)) {
    choices.push_back(FormChoice{std::move(sized.form), sized.workgroups, sized.when});
  }
  add_step(lowering, step_name(lowering, kernel), code, {}, choices);
  return {};
}

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

}  // namespace subbyte
