// Coordinates in WGSL: a row-major position taken apart, and indices read from tensors made safe.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "plan/step_code.h"

namespace subbyte {

// One coordinate for each of `sizes`, outermost first, of a row-major position among them. `fixed`:
// by sizes that are literals where they are constant (StepCode::fixed_size).
std::vector<std::string> split_index(StepCode& code, Scope& scope, const std::string& position,
                                     std::span<const Expr> sizes, bool fixed = false);

// An index that a tensor holds, as u32: negative ones count from the end. ONNX leaves indices out
// of range undefined; here the nearest element is meant.
std::string clamped_index(StepCode& code, Scope& scope, const Typed& index, Expr size);
// The same without the clamp, as i32: out of range stays out of range.
std::string signed_index(StepCode& code, Scope& scope, const Typed& index, Expr size);

// Neighbouring axes of one operator: a single one that it changes, or several that pass through.
struct AxisGroup {
  std::size_t axis = 0;  // the first one
  Expr in, out;          // elements before and after
  bool changed = false;
};
// `in` and `out` have one rank and agree along every axis that is not changed.
std::vector<AxisGroup> group_axes(ExprPool& exprs, std::span<const Expr> in,
                                  std::span<const Expr> out, const std::vector<bool>& changed);
std::vector<Expr> sizes_before(std::span<const AxisGroup> groups);
std::vector<Expr> sizes_after(std::span<const AxisGroup> groups);

// "0.0f", "0i" or "0u"; "1.0f", ...
std::string zero_literal(GpuType type);
std::string one_literal(GpuType type);

}  // namespace subbyte
