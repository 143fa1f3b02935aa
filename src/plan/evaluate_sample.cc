// GridSample and ReverseSequence: elements at places that values decide.
#include <fmt/format.h>

#include "plan/evaluate.h"
#include "plan/index_code.h"

namespace subbyte {

namespace {

struct GridSample {
  const Node& node;
  std::span<const Expr> x;  // [batch, channels, sizes...]
  std::size_t axes;
  int taps;
  int around;
  bool align;
};

GridSample grid_sample_of(Evaluator& evaluator, const Node& node) {
  const std::span<const Expr> x = evaluator.shape(node.inputs[0]);
  const std::string_view mode = node.string_or("mode", "linear");
  const std::string_view padding = node.string_or("padding_mode", "zeros");
  const int taps = mode == "nearest" ? 1 : mode == "cubic" || mode == "bicubic" ? 4 : 2;
  const int around = padding == "zeros" ? 0 : padding == "border" ? 1 : 2;
  return {node, x, x.size() - 2, taps, around, node.int_or("align_corners", 0) != 0};
}

// "n: u32, c: u32, x0: f32, x1: f32"
std::string arguments(const GridSample& g, const char* name, const char* type) {
  std::string text = "n: u32, c: u32";
  for (std::size_t i = 0; i < g.axes; ++i) text += fmt::format(", {}{}: {}", name, i, type);
  return text;
}

// A function of one element of the input; its name.
Expected<std::string> declare_element(Evaluator& evaluator, const GridSample& g) {
  StepCode& code = evaluator.code();
  Scope scope;
  Frame frame{{{"n", g.x[0]}, {"c", g.x[1]}}};
  for (std::size_t i = 0; i < g.axes; ++i) {
    if (g.around == 0) scope.line(fmt::format("if (i{} < 0i) {{ return 0.0f; }}", i));
    frame.coordinates.push_back({fmt::format("u32(i{})", i), g.x[2 + i]});
  }
  Evaluator reader = evaluator.inside(scope);
  SUBBYTE_TRY(const Typed value, reader.value(g.node.inputs[0], frame));
  const std::string name = code.function_name("grid_element");
  code.declare(
      scope.function(fmt::format("{}({}) -> f32", name, arguments(g, "i", "i32")), value.text));
  return name;
}

// A function of the place in the grid: the elements around it, each by its weight along every axis.
Expected<std::string> declare_sample(Evaluator& evaluator, const GridSample& g) {
  StepCode& code = evaluator.code();
  SUBBYTE_TRY(const std::string element, declare_element(evaluator, g));
  Scope scope;
  std::string weight = "1.0f", indices;
  for (std::size_t i = 0; i < g.axes; ++i) {
    scope.line(fmt::format("let size{0} = f32({1});", i, code.size(g.x[2 + i])));
    const std::string place = fmt::format("grid_place(x{0}, size{0}, {1})", i, g.align);
    scope.line(fmt::format("let at{0} = grid_settle({1}, size{0}, {2}, {3}u, {4}u);", i,
                           g.taps == 1 ? "round(" + place + ")" : place, g.align, g.around,
                           g.taps));
    scope.line(g.taps == 1
                   ? fmt::format("let first{0} = at{0};", i)
                   : fmt::format("let first{0} = floor(at{0}) - {1}.0f;", i, g.taps / 2 - 1));
  }
  scope.line("var sum = 0.0f;");
  for (std::size_t i = 0; i < g.axes; ++i) {
    scope.line(fmt::format("for (var t{0} = 0u; t{0} < {1}u; t{0}++) {{", i, g.taps));
    scope.line(fmt::format("let p{0} = first{0} + f32(t{0});", i));
    scope.line(
        fmt::format("let i{0} = grid_index(p{0}, size{0}, {1}, {2}u);", i, g.align, g.around));
    scope.line(fmt::format("let w{0} = {1} * grid_weight(at{0} - p{0}, {2}u);", i, weight, g.taps));
    weight = fmt::format("w{}", i);
    indices += fmt::format(", i{}", i);
  }
  scope.line(fmt::format("sum += {} * {}(n, c{});", weight, element, indices));
  for (std::size_t i = 0; i < g.axes; ++i) scope.line("}");
  const std::string name = code.function_name("grid_sample");
  code.declare(scope.function(fmt::format("{}({}) -> f32", name, arguments(g, "x", "f32")), "sum"));
  code.use_library("grid_sample");
  return name;
}

}  // namespace

Expected<Typed> element_grid_sample(Evaluator& evaluator, const Element& element) {
  const GridSample g = grid_sample_of(evaluator, element.node);
  ExprPool& exprs = evaluator.code().exprs();
  const Expr points = exprs.product(std::span(evaluator.shape(element.value)).subspan(2));
  const Expr axes = exprs.constant(static_cast<std::int64_t>(g.axes));
  const auto at = evaluator.coordinates(element, std::vector<Expr>{g.x[0], g.x[1], points});
  SUBBYTE_TRY(const std::string sample, declare_sample(evaluator, g));
  std::string call = fmt::format("{}({}, {}", sample, at[0], at[1]);
  for (std::size_t i = 0; i < g.axes; ++i) {
    // The grid names the innermost axis first.
    const Frame place{
        {{at[0], g.x[0]}, {at[2], points}, {fmt::format("{}u", g.axes - 1 - i), axes}}};
    SUBBYTE_TRY(const Typed x, evaluator.value(element.node.inputs[1], place));
    call += ", " + x.text;
  }
  return Typed{evaluator.scope().let(call + ")"), GpuType::f32};
}

Expected<Typed> element_reverse_sequence(Evaluator& evaluator, const Element& element) {
  ExprPool& exprs = evaluator.code().exprs();
  const ValueId data = element.node.inputs[0];
  const std::span<const Expr> shape = evaluator.shape(data);
  const Expr inner = exprs.product(shape.subspan(2));
  auto at = evaluator.coordinates(element, std::vector<Expr>{shape[0], shape[1], inner});
  const std::size_t batch = element.node.int_or("batch_axis", 1) == 0 ? 0 : 1, time = 1 - batch;
  SUBBYTE_TRY(const Typed length,
              evaluator.value(element.node.inputs[1], Frame{{{at[batch], shape[batch]}}}));
  const std::string whole = evaluator.scope().let(fmt::format("i32({})", length.text));
  const std::string t = at[time];
  at[time] = evaluator.scope().let(
      fmt::format("select({0}, u32(clamp({1} - 1i - i32({0}), 0i, {2})), i32({0}) < {1})", t, whole,
                  evaluator.code().signed_size(
                      exprs.max(exprs.sub(shape[time], exprs.constant(1)), exprs.constant(0)))));
  return evaluator.value(data, Frame{{{at[0], shape[0]}, {at[1], shape[1]}, {at[2], inner}}});
}

}  // namespace subbyte
