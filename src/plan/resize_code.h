// Resize: how each axis is sampled. Coordinates are computed in f32, step by step as ONNX Runtime
// computes them, so that what rounds up or down there does so here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "graph/resize_form.h"
#include "plan/index_code.h"
#include "plan/step_code.h"

namespace subbyte {

// A whole node: how its axes are sampled, and in which groups.
struct ResizePlan {
  ResizeForm form;
  std::string extrapolation;  // WGSL
  std::string cubic_a;        // WGSL
  std::vector<AxisGroup> groups;
  // For each group, where it changes: its scale in WGSL, and as a number where that is known.
  std::vector<std::string> scales;
  std::vector<std::optional<float>> known_scales;
};

Expected<ResizePlan> resize_plan(const Graph& graph, const Node& node, ValueId output,
                                 StepCode& code, Scope& scope);

// The position in the input of element `at` along the axis of a group, as f32. `roi` is its start
// and end, of tf_crop_and_resize.
struct Roi {
  std::string start, end;
};
std::string original_coordinate(const ResizePlan& plan, std::size_t group, StepCode& code,
                                Scope& scope, const std::string& at, const Roi& roi);

// The index that the mode `nearest` takes for a position.
std::string nearest_index(const ResizePlan& plan, std::size_t group, StepCode& code, Scope& scope,
                          const std::string& position);

// f32 of an axis's last element, and i32 of it (0 of an empty axis).
std::string last_position(StepCode& code, Expr size);
std::string last_index(StepCode& code, Expr size);

// How often each element stands along each axis, where the result is nothing but its input with
// every element repeated so often.
std::optional<std::vector<std::int64_t>> whole_repeats(ExprPool& exprs, const Graph& graph,
                                                       const Node& node);

}  // namespace subbyte
