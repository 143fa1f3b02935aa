// Resize: an element of the result is one of the input, or a mean of those around its place there.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
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

}  // namespace

Expected<Typed> Evaluator::resize(const Node& node, ValueId id, const Frame& frame,
                                  const std::vector<ViewStep>& path) {
  const ValueId data = node.inputs[0];
  const GpuType type = gpu_type(graph_.values[data].dtype).value_or(GpuType::f32);
  const ResizePlan plan = resize_plan(graph_, node, id, code_, scope_);
  if (plan.mode != "nearest" && type != GpuType::f32) {
    return fail("{}: it interpolates {}; of integers only the mode 'nearest' is supported",
                describe(graph_, graph_.values[id].producer),
                dtype_name(graph_.values[data].dtype));
  }
  const auto at = coordinates(id, frame, path, sizes_after(plan.groups));
  SUBBYTE_TRY(const auto positions, resize_positions(node, plan, at));
  const bool loops = plan.mode == "cubic" || plan.antialias ||
                     std::ranges::count_if(plan.groups, [](const AxisGroup& g) {
                       return g.changed;
                     }) > kMostWrittenOut;
  Typed result;
  if (plan.mode == "nearest") {
    Frame from;
    for (std::size_t g = 0; g < at.size(); ++g) {
      from.coordinates.push_back(
          {plan.groups[g].changed ? nearest_index(plan, g, code_, scope_, positions[g]) : at[g],
           plan.groups[g].in});
    }
    SUBBYTE_TRY(result, value(data, from));
  } else if (loops) {
    SUBBYTE_TRY(result, resize_by_taps(data, plan, at, positions));
  } else {
    SUBBYTE_TRY(result, resize_linear(data, plan, at, positions, Frame{}));
  }
  if (!plan.extrapolates) return result;
  const std::string around = type == GpuType::f32
                                 ? plan.extrapolation
                                 : fmt::format("{}({})", wgsl_name(type), plan.extrapolation);
  return Typed{fmt::format("select({}, {}, {})", result.text, around,
                           scope_.let(is_outside(code_, plan, positions))),
               type};
}

Expected<std::vector<std::string>> Evaluator::resize_positions(const Node& node,
                                                               const ResizePlan& plan,
                                                               const std::vector<std::string>& at) {
  std::vector<std::string> positions;
  const std::size_t rank = graph_.values[node.inputs[0]].shape->size();
  const auto axes = node.ints("axes");
  const std::size_t count = axes ? axes->size() : rank;
  for (std::size_t g = 0; g < at.size(); ++g) {
    Roi roi{"0.0f", "1.0f"};
    if (plan.groups[g].changed && plan.extrapolates && node.has_input(1)) {
      // [start of each axis..., end of each axis...]
      std::size_t operand = plan.groups[g].axis;
      for (std::size_t i = 0; axes && i < count; ++i) {
        if (axis_from_front((*axes)[i], rank) == plan.groups[g].axis) operand = i;
      }
      const Expr length = code_.exprs().constant(static_cast<std::int64_t>(2 * count));
      for (const bool end : {false, true}) {
        const std::string place = fmt::format("{}u", operand + (end ? count : 0));
        SUBBYTE_TRY(const Typed edge, value(node.inputs[1], Frame{{{place, length}}}));
        (end ? roi.end : roi.start) = edge.text;
      }
    }
    positions.push_back(
        plan.groups[g].changed ? original_coordinate(plan, g, code_, scope_, at[g], roi) : at[g]);
  }
  return positions;
}

// `from` holds the coordinates of the groups so far.
Expected<Typed> Evaluator::resize_linear(ValueId data, const ResizePlan& plan,
                                         const std::vector<std::string>& at,
                                         const std::vector<std::string>& positions,
                                         const Frame& from) {
  const std::size_t g = from.coordinates.size();
  if (g == at.size()) return value(data, from);
  const Expr size = plan.groups[g].in;
  Frame low = from, high = from;
  if (!plan.groups[g].changed) {
    low.coordinates.push_back({at[g], size});
    return resize_linear(data, plan, at, positions, low);
  }
  const std::string x =
      scope_.let(fmt::format("clamp({}, 0.0f, {})", positions[g], last_position(code_, size)));
  const std::string below = scope_.let(fmt::format("u32({})", x));
  const std::string above =
      scope_.let(fmt::format("min({} + 1u, u32({}))", below, last_index(code_, size)));
  const std::string part = scope_.let(fmt::format("{} - f32({})", x, below));
  low.coordinates.push_back({below, size});
  high.coordinates.push_back({above, size});
  SUBBYTE_TRY(const Typed a, resize_linear(data, plan, at, positions, low));
  SUBBYTE_TRY(const Typed b, resize_linear(data, plan, at, positions, high));
  return Typed{scope_.let(fmt::format("{0} * (1.0f - {2}) + {1} * {2}", a.text, b.text, part)),
               GpuType::f32};
}

// A function of its own that loops over the elements around, weighted by their distance.
Expected<Typed> Evaluator::resize_by_taps(ValueId data, const ResizePlan& plan,
                                          const std::vector<std::string>& at,
                                          const std::vector<std::string>& positions) {
  const bool cubic = plan.mode == "cubic";
  const bool normalizes = plan.antialias || plan.excludes_outside;
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
    arguments.push_back(
        group.changed && plan.extrapolates
            ? scope_.let(fmt::format("clamp({}, -16777216.0f, 16777216.0f)", positions[g]))
        : group.changed ? positions[g]
                        : at[g]);
    if (!group.changed) continue;
    // Where the input is the finer grid, antialiasing widens the filter to the pitch of the result.
    std::string reach = cubic ? "2.0f" : "1.0f", distance = fmt::format("f32(t{0}) - x{0}", g);
    if (plan.antialias) {
      parameters.push_back(fmt::format("pitch{}: f32", g));
      arguments.push_back(scope_.let(fmt::format("min({}, 1.0f)", plan.scales[g])));
      reach += fmt::format(" / pitch{}", g);
      distance = fmt::format("({}) * pitch{}", distance, g);
    }
    body += fmt::format(
        "for (var t{0} = i32(floor(x{0} - {1})) + 1i; t{0} < i32(ceil(x{0} + {1})); t{0}++) {{\n",
        g, reach);
    if (plan.excludes_outside) {
      body += fmt::format("if (t{0} < 0i || t{0} > {1}) {{ continue; }}\n", g,
                          last_index(code_, group.in));
    }
    body += fmt::format("let i{0} = u32(clamp(t{0}, 0i, {1}));\n", g, last_index(code_, group.in));
    body += fmt::format("let w{} = {};\n", g,
                        cubic ? fmt::format("resample_cubic({}, {})", distance, plan.cubic_a)
                              : fmt::format("resample_linear({})", distance));
    weight += fmt::format(" * w{}", g);
    close += "}\n";
  }
  Scope inner;
  Evaluator elements(model_, schedule_, placement_, code_, inner);
  SUBBYTE_TRY(const Typed x, elements.value(data, from));
  const std::string name = code_.function_name("resized");
  code_.declare(
      inner.function(fmt::format("{}_element({}) -> f32", name, fmt::join(reader, ", ")), x.text));
  code_.declare(fmt::format(
      "fn {0}({1}) -> f32 {{\nvar sum = 0.0f;\nvar total = 0.0f;\n{2}let w = {3};\ntotal += w;\n"
      "sum += w * {0}_element({4});\n{5}return sum{6};\n}}\n",
      name, fmt::join(parameters, ", "), body, weight, fmt::join(reads, ", "), close,
      normalizes ? " / total" : ""));
  return Typed{scope_.let(fmt::format("{}({})", name, fmt::join(arguments, ", "))), GpuType::f32};
}

}  // namespace subbyte
