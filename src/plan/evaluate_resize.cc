// Resize: an element of the result is one of the input, or a mean of those around its place there.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "graph/node_form.h"
#include "plan/evaluate.h"
#include "plan/resize_code.h"

namespace subbyte {

namespace {

// Linear interpolation along so many axes is written out: two reads along each.
constexpr std::ptrdiff_t kMostWrittenOut = 3;

std::string is_outside(StepCode& code, const ResizePlan& plan,
                       const std::vector<std::string>& positions) {
  std::vector<std::string> terms;
  for (std::size_t g = 0; g < positions.size(); ++g) {
    if (!plan.groups[g].changed) continue;
    terms.push_back(fmt::format("{0} < 0.0f || {0} > {1}", positions[g],
                                last_position(code, plan.groups[g].in)));
  }
  return fmt::format("{}", fmt::join(terms, " || "));
}

// Where the elements at `at` lie in the input, along each group of axes that changes.
Expected<std::vector<std::string>> positions_in_input(Evaluator& evaluator, const Node& node,
                                                      const ResizePlan& plan,
                                                      const std::vector<std::string>& at) {
  std::vector<std::string> positions;
  const auto axes = resized_axes(node, evaluator.shape(node.inputs[0]).size());
  const std::size_t count = axes.size();
  for (std::size_t g = 0; g < at.size(); ++g) {
    Roi roi{"0.0f", "1.0f"};
    if (plan.groups[g].changed && plan.form.crops() && node.has_input(ResizeForm::kRoi)) {
      // [start of each axis..., end of each axis...]
      const auto operand =
          static_cast<std::size_t>(std::ranges::find(axes, plan.groups[g].axis) - axes.begin());
      const Expr length = evaluator.code().exprs().constant(static_cast<std::int64_t>(2 * count));
      for (const bool end : {false, true}) {
        const std::string place = fmt::format("{}u", operand + (end ? count : 0));
        SUBBYTE_TRY(const Typed edge,
                    evaluator.value(node.inputs[ResizeForm::kRoi], Frame{{{place, length}}}));
        (end ? roi.end : roi.start) = edge.text;
      }
    }
    positions.push_back(plan.groups[g].changed ? original_coordinate(plan, g, evaluator.code(),
                                                                     evaluator.scope(), at[g], roi)
                                               : at[g]);
  }
  return positions;
}

// The scales that a run says, of each group of axes that changes.
Expected<void> read_scales(Evaluator& evaluator, const Node& node, ResizePlan& plan) {
  const auto axes = resized_axes(node, evaluator.shape(node.inputs[0]).size());
  const Expr count = evaluator.code().exprs().constant(static_cast<std::int64_t>(axes.size()));
  for (std::size_t g = 0; g < plan.groups.size(); ++g) {
    if (!plan.groups[g].changed) continue;
    const auto operand = std::ranges::find(axes, plan.groups[g].axis) - axes.begin();
    SUBBYTE_TRY(const Typed scale, evaluator.value(node.inputs[ResizeForm::kRoi],
                                                   Frame{{{fmt::format("{}u", operand), count}}}));
    plan.scales[g] = evaluator.scope().let(scale.text);
  }
  return {};
}

struct Resizing {
  Evaluator& evaluator;
  ValueId data;
  const ResizePlan& plan;
  const std::vector<std::string>& at;         // of an element in the result
  const std::vector<std::string>& positions;  // and in the input
};

// `from` holds the coordinates of the groups so far.
Expected<Typed> linear(const Resizing& resizing, const Frame& from) {
  const auto& [evaluator, data, plan, at, positions] = resizing;
  const std::size_t g = from.coordinates.size();
  if (g == at.size()) return evaluator.value(data, from);
  const Expr size = plan.groups[g].in;
  Frame low = from, high = from;
  if (!plan.groups[g].changed) {
    low.coordinates.push_back({at[g], size});
    return linear(resizing, low);
  }
  const std::string x = evaluator.scope().let(
      fmt::format("clamp({}, 0.0f, {})", positions[g], last_position(evaluator.code(), size)));
  const std::string below = evaluator.scope().let(fmt::format("u32({})", x));
  const std::string above = evaluator.scope().let(
      fmt::format("min({} + 1u, u32({}))", below, last_index(evaluator.code(), size)));
  const std::string part = evaluator.scope().let(fmt::format("{} - f32({})", x, below));
  low.coordinates.push_back({below, size});
  high.coordinates.push_back({above, size});
  SUBBYTE_TRY(const Typed a, linear(resizing, low));
  SUBBYTE_TRY(const Typed b, linear(resizing, high));
  return Typed{
      evaluator.scope().let(fmt::format("{0} * (1.0f - {2}) + {1} * {2}", a.text, b.text, part)),
      GpuType::f32};
}

// A function of its own that loops over the elements around, weighted by their distance.
Expected<Typed> by_taps(const Resizing& resizing) {
  const auto& [evaluator, data, plan, at, positions] = resizing;
  const bool cubic = plan.form.mode == ResizeForm::Mode::cubic;
  const bool normalizes = plan.form.antialias || plan.form.excludes_outside;
  std::vector<std::string> reads, reader, parameters, arguments;
  std::string body, close, weight = "1.0f";
  Frame from;
  for (std::size_t g = 0; g < at.size(); ++g) {
    const AxisGroup& group = plan.groups[g];
    from.coordinates.push_back({fmt::format("i{}", g), group.in});
    reader.push_back(fmt::format("i{}: u32", g));
    reads.push_back(fmt::format("i{}", g));
    parameters.push_back(
        fmt::format("{}{}: {}", group.changed ? "x" : "i", g, group.changed ? "f32" : "u32"));
    // A roi may lie anywhere; far outside is far enough, and the loops stay short.
    arguments.push_back(group.changed && plan.form.crops()
                            ? evaluator.scope().let(
                                  fmt::format("clamp({}, -16777216.0f, 16777216.0f)", positions[g]))
                        : group.changed ? positions[g]
                                        : at[g]);
    if (!group.changed) continue;
    // Where the input is the finer grid, antialiasing widens the filter to the pitch of the result.
    std::string reach = cubic ? "2.0f" : "1.0f", distance = fmt::format("f32(t{0}) - x{0}", g);
    if (plan.form.antialias) {
      parameters.push_back(fmt::format("pitch{}: f32", g));
      arguments.push_back(evaluator.scope().let(fmt::format("min({}, 1.0f)", plan.scales[g])));
      reach += fmt::format(" / pitch{}", g);
      distance = fmt::format("({}) * pitch{}", distance, g);
    }
    body += fmt::format(
        "for (var t{0} = i32(floor(x{0} - {1})) + 1i; t{0} < i32(ceil(x{0} + {1})); t{0}++) {{\n",
        g, reach);
    if (plan.form.excludes_outside) {
      body += fmt::format("if (t{0} < 0i || t{0} > {1}) {{ continue; }}\n", g,
                          last_index(evaluator.code(), group.in));
    }
    body += fmt::format("let i{0} = u32(clamp(t{0}, 0i, {1}));\n", g,
                        last_index(evaluator.code(), group.in));
    body += fmt::format("let w{} = {};\n", g,
                        cubic ? fmt::format("resample_cubic({}, {})", distance, plan.cubic_a)
                              : fmt::format("resample_linear({})", distance));
    weight += fmt::format(" * w{}", g);
    close += "}\n";
  }
  Scope inner;
  Evaluator elements = evaluator.inside(inner);
  SUBBYTE_TRY(const Typed x, elements.value(data, from));
  const std::string name = evaluator.code().function_name("resized");
  evaluator.code().declare(
      inner.function(fmt::format("{}_element({}) -> f32", name, fmt::join(reader, ", ")), x.text));
  evaluator.code().declare(fmt::format(
      "fn {0}({1}) -> f32 {{\nvar sum = 0.0f;\nvar total = 0.0f;\n{2}let w = {3};\ntotal += w;\n"
      "sum += w * {0}_element({4});\n{5}return sum{6};\n}}\n",
      name, fmt::join(parameters, ", "), body, weight, fmt::join(reads, ", "), close,
      normalizes ? " / total" : ""));
  return Typed{evaluator.scope().let(fmt::format("{}({})", name, fmt::join(arguments, ", "))),
               GpuType::f32};
}

}  // namespace

Expected<Typed> element_resize(Evaluator& evaluator, const Element& element) {
  const ValueId data = element.node.inputs[0];
  const GpuType type = gpu_type(evaluator.graph().values[data].dtype).value_or(GpuType::f32);
  SUBBYTE_TRY(ResizePlan plan, resize_plan(evaluator.graph(), element.node, element.value,
                                           evaluator.code(), evaluator.scope()));
  if (plan.form.has_both) SUBBYTE_CHECK_OK(read_scales(evaluator, element.node, plan));
  const bool nearest = plan.form.mode == ResizeForm::Mode::nearest;
  if (!nearest && type != GpuType::f32) {
    return fail("{}: it interpolates {}; of integers only the mode 'nearest' is supported",
                describe(evaluator.graph(), evaluator.graph().values[element.value].producer),
                dtype_name(evaluator.graph().values[data].dtype));
  }
  const auto at = evaluator.coordinates(element, sizes_after(plan.groups));
  SUBBYTE_TRY(const auto positions, positions_in_input(evaluator, element.node, plan, at));
  const bool loops = plan.form.mode == ResizeForm::Mode::cubic || plan.form.antialias ||
                     std::ranges::count_if(plan.groups, [](const AxisGroup& g) {
                       return g.changed;
                     }) > kMostWrittenOut;
  const Resizing resizing{evaluator, data, plan, at, positions};
  Typed result;
  if (nearest) {
    Frame from;
    for (std::size_t g = 0; g < at.size(); ++g) {
      from.coordinates.push_back(
          {plan.groups[g].changed
               ? nearest_index(plan, g, evaluator.code(), evaluator.scope(), positions[g])
               : at[g],
           plan.groups[g].in});
    }
    SUBBYTE_TRY(result, evaluator.value(data, from));
  } else if (loops) {
    SUBBYTE_TRY(result, by_taps(resizing));
  } else {
    SUBBYTE_TRY(result, linear(resizing, Frame{}));
  }
  if (!plan.form.crops()) return result;
  const std::string around = type == GpuType::f32
                                 ? plan.extrapolation
                                 : fmt::format("{}({})", wgsl_name(type), plan.extrapolation);
  return Typed{fmt::format("select({}, {}, {})", result.text, around,
                           evaluator.scope().let(is_outside(evaluator.code(), plan, positions))),
               type};
}

}  // namespace subbyte
