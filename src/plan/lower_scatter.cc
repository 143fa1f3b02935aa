// Scatters of few updates, from the side of the result: each of its elements looks through the
// updates that may land on it, in their order, so that no two invocations write one element. Of
// many updates, by steps that take time in proportion to them: lower_scatter_last,
// lower_scatter_joined.
#include <fmt/core.h>

#include "graph/node_form.h"
#include "graph/ops.h"
#include "plan/reduce_code.h"
#include "plan/scalar_wgsl.h"
#include "plan/scatter_code.h"
#include "plan/watch_code.h"

namespace subbyte {

namespace {

Scatter scatter_elements(Lowering& lowering, const Node& node) {
  const auto data = lowering.shape(node.inputs[0]);
  const auto updates = lowering.shape(node.inputs[1]);
  const std::size_t axis = axis_of(node);
  std::vector<bool> changed;
  for (std::size_t i = 0; i < data.size(); ++i) {
    changed.push_back(i == axis || data[i] != updates[i]);
  }
  Scatter scatter;
  scatter.groups = group_axes(lowering.exprs(), data, updates, changed);
  for (std::size_t g = 0; g < scatter.groups.size(); ++g) {
    if (scatter.groups[g].changed && scatter.groups[g].axis == axis) scatter.axis = g;
  }
  scatter.sizes = sizes_before(scatter.groups);
  scatter.candidates = updates[axis];
  return scatter;
}

Scatter scatter_slices(Lowering& lowering, const Node& node) {
  ExprPool& exprs = lowering.exprs();
  const auto data = lowering.shape(node.inputs[0]);
  const auto indices = lowering.shape(node.inputs[1]);
  const auto depth = static_cast<std::size_t>(exprs.value(indices.back()).value_or(0));
  Scatter scatter;
  scatter.slices = true;
  scatter.sizes.assign(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(depth));
  scatter.sizes.push_back(exprs.product(std::span(data).subspan(depth)));
  scatter.candidates = exprs.product(std::span(indices).first(indices.size() - 1));
  scatter.depth = indices.back();
  return scatter;
}

// Makes load() return init() where update r does not land at `at`.
Expected<void> leave_unless_landing(const Scatter& scatter, StepCode& code, Scope& scope,
                                    Evaluator& reader, const Node& node,
                                    const std::vector<std::string>& at) {
  const auto compare = [&](const Typed& index, std::size_t g) {
    scope.line(fmt::format("if (i32({}) != {}) {{ return init(); }}", at[g],
                           signed_index(code, scope, index, scatter.sizes[g])));
  };
  if (!scatter.slices) {
    for (std::size_t g = 0; g < at.size(); ++g) {
      if (g == scatter.axis || !scatter.groups[g].changed) continue;
      scope.line(fmt::format("if ({} >= {}) {{ return init(); }}", at[g],
                             code.size(scatter.groups[g].out)));
    }
    SUBBYTE_TRY(const Typed index, reader.value(node.inputs[1], update_frame(scatter, at, "r")));
    compare(index, scatter.axis);
    return {};
  }
  for (std::size_t g = 0; g + 1 < at.size(); ++g) {
    const Frame place{{{"r", scatter.candidates}, {fmt::format("{}u", g), scatter.depth}}};
    SUBBYTE_TRY(const Typed index, reader.value(node.inputs[1], place));
    compare(index, g);
  }
  return {};
}

// Up to so many updates, looking at each costs less than a step.
constexpr std::int64_t kFewUpdates = 64;

}  // namespace

Scatter scatter_of(Lowering& lowering, const Node& node) {
  return node.op == Op::ScatterND ? scatter_slices(lowering, node)
                                  : scatter_elements(lowering, node);
}

Frame update_frame(const Scatter& scatter, const std::vector<std::string>& at,
                   const std::string& r) {
  if (scatter.slices) return {{{r, scatter.candidates}, {at.back(), scatter.sizes.back()}}};
  Frame frame;
  for (std::size_t g = 0; g < at.size(); ++g) {
    frame.coordinates.push_back({g == scatter.axis ? r : at[g], scatter.groups[g].out});
  }
  return frame;
}

Expected<void> lower_scatter(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  const Scatter scatter = scatter_of(lowering, node);
  const GpuType type = lowering.type(node.inputs[0]);
  const DType dtype = lowering.graph().values[node.inputs[0]].dtype;
  const Expr outer = lowering.elements(node.inputs[0]), inner = scatter.candidates;
  const Joining how = joining(node.string_or("reduction", "none"), type, dtype);
  const std::uint32_t number = lowering.schedule.watched[node.outputs[0]];
  // Atomic sums are of one word.
  if (number == 0 && lowering.exprs().upper(inner) > kFewUpdates) {
    return how.join == nullptr ? lower_scatter_last(lowering, kernel, scatter)
                               : lower_scatter_joined(lowering, kernel, scatter, how);
  }

  std::optional<WatchedJoining> watched;
  if (number != 0) {
    const bool sums = node.string_or("reduction", "none") == "add";
    watched = watched_joining(sums ? Joined::sum : Joined::product, type);
  }

  StepCode code(lowering.exprs(), lowering.plan);
  if (watched) {
    declare_accumulator(code, watched->accumulator, outer, inner);
  } else if (how.join != nullptr) {
    declare_accumulator(code, {std::string(wgsl_name(type)), how.neutral, how.join(type, "a", "b")},
                        outer, inner);
  } else {
    // One more than the number of the last update that lands here.
    declare_accumulator(code, {"u32", "0u", "max(a, b)"}, outer, inner);
  }
  Scope loads;
  const auto at = split_index(code, loads, "o", scatter.sizes);
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, loads);
  SUBBYTE_CHECK_OK(leave_unless_landing(scatter, code, loads, reader, node, at));
  std::string found = "r + 1u";
  if (how.join != nullptr) {
    SUBBYTE_TRY(const Typed update, reader.value(node.inputs[2], update_frame(scatter, at, "r")));
    found = watched ? fmt::format(fmt::runtime(watched->load), update.text) : update.text;
  }
  code.declare(loads.function("load(o: u32, r: u32) -> T", found));

  Scope stores;
  Evaluator reads(lowering.model, lowering.schedule, lowering.placement, code, stores);
  SUBBYTE_TRY(const Typed before, reads.value(node.inputs[0], Frame{{{"o", outer}}}));
  Typed after{"", type};
  if (watched) {
    const std::string first = fmt::format(fmt::runtime(watched->load), before.text);
    const std::string whole = stores.let(fmt::format("combine({}, acc)", first));
    after = joined_value(*watched, type, number, whole);
  } else if (how.join != nullptr) {
    after = convert({fmt::format("({})", how.join(type, before.text, "acc")), type}, dtype, dtype);
  } else {
    const auto place = split_index(code, stores, "o", scatter.sizes);
    const std::string last = stores.let("max(acc, 1u) - 1u");
    SUBBYTE_TRY(const Typed update,
                reads.value(node.inputs[2], update_frame(scatter, place, last)));
    after.text = fmt::format("select({}, {}, acc > 0u)", before.text, update.text);
  }
  return finish_reduction(lowering, kernel, code, stores, after, outer, inner, true);
}

}  // namespace subbyte
