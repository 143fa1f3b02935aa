// Elements that their place alone decides.
#include <fmt/format.h>

#include "plan/evaluate.h"
#include "plan/index_code.h"
#include "plan/wide_constants.h"

namespace subbyte {

Expected<Typed> element_eye_like(Evaluator& evaluator, const Element& element) {
  const auto at = evaluator.coordinates(element, evaluator.shape(element.value));
  const DType dtype = evaluator.graph().values[element.value].dtype;
  const GpuType type = gpu_type(dtype).value_or(GpuType::f32);
  return Typed{
      fmt::format("select({}, {}, i32({}) - i32({}) == {})", zero_literal(type), one_literal(type),
                  at[1], at[0], i32_literal(element.node.int_or("k", 0))),
      type};
}

Expected<Typed> element_fill(Evaluator& evaluator, const Element& element) {
  const Typed zero{"0.0f", GpuType::f32};
  const Tensor* fill = element.node.tensor("value");
  if (fill == nullptr) return zero;
  const Graph& graph = evaluator.graph();
  SUBBYTE_CHECK_OK(fits_words(describe(graph, graph.values[element.value].producer), *fill));
  return scalar_number(evaluator.code(), *fill).value_or(zero);
}

Expected<Typed> element_range(Evaluator& evaluator, const Element& element) {
  const Frame none;
  SUBBYTE_TRY(const Typed start, evaluator.value(element.node.inputs[0], none));
  SUBBYTE_TRY(const Typed delta, evaluator.value(element.node.inputs[2], none));
  const std::string at = evaluator.position(element);
  return Typed{fmt::format("{} + {}({}) * {}", start.text, wgsl_name(start.type), at, delta.text),
               start.type};
}

}  // namespace subbyte
