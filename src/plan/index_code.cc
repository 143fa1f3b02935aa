#include "plan/index_code.h"

#include <fmt/core.h>

namespace subbyte {

std::vector<std::string> split_index(StepCode& code, Scope& scope, const std::string& position,
                                     std::span<const Expr> sizes, bool fixed) {
  const ExprPool& exprs = code.exprs();
  std::vector<std::string> coordinates(sizes.size(), "0u");
  std::size_t outermost = 0;
  while (outermost < sizes.size() && exprs.is(sizes[outermost], 1)) ++outermost;
  std::string rest = position;
  for (std::size_t i = sizes.size(); i-- > outermost;) {
    if (exprs.is(sizes[i], 1)) continue;
    if (i == outermost) {
      coordinates[i] = rest;
      break;
    }
    const std::string size = fixed ? code.fixed_size(sizes[i]) : code.divisor(sizes[i]);
    coordinates[i] = scope.let(fmt::format("{} % {}", rest, size));
    rest = scope.let(fmt::format("{} / {}", rest, size));
  }
  return coordinates;
}

std::string signed_index(StepCode& code, Scope& scope, const Typed& index, Expr size) {
  return scope.let(fmt::format("select(i32({0}), i32({0}) + {1}, i32({0}) < 0i)", index.text,
                               code.signed_size(size)));
}

std::string clamped_index(StepCode& code, Scope& scope, const Typed& index, Expr size) {
  return scope.let(fmt::format("u32(max(min({}, {} - 1i), 0i))",
                               signed_index(code, scope, index, size), code.signed_size(size)));
}

std::vector<AxisGroup> group_axes(ExprPool& exprs, std::span<const Expr> in,
                                  std::span<const Expr> out, const std::vector<bool>& changed) {
  std::vector<AxisGroup> groups;
  for (std::size_t axis = 0; axis < in.size(); ++axis) {
    if (!changed[axis] && !groups.empty() && !groups.back().changed) {
      groups.back().in = exprs.mul(groups.back().in, in[axis]);
      groups.back().out = exprs.mul(groups.back().out, out[axis]);
    } else {
      groups.push_back(AxisGroup{axis, in[axis], out[axis], changed[axis]});
    }
  }
  return groups;
}

std::vector<Expr> sizes_before(std::span<const AxisGroup> groups) {
  std::vector<Expr> sizes;
  for (const AxisGroup& group : groups) sizes.push_back(group.in);
  return sizes;
}

std::vector<Expr> sizes_after(std::span<const AxisGroup> groups) {
  std::vector<Expr> sizes;
  for (const AxisGroup& group : groups) sizes.push_back(group.out);
  return sizes;
}

std::string zero_literal(GpuType type) {
  return type == GpuType::f32 ? "0.0f" : type == GpuType::i32 ? "0i" : "0u";
}

std::string one_literal(GpuType type) {
  return type == GpuType::f32 ? "1.0f" : type == GpuType::i32 ? "1i" : "1u";
}

}  // namespace subbyte
