// Pad: what stands around a tensor.
#include "base/text.h"
#include "graph/infer/node_infer.h"

namespace subbyte {
namespace {

// The amounts before and after each axis; negative where elements are taken away.
struct Pads {
  std::vector<Expr> begin, end;
};

Expected<std::optional<Pads>> pads_of(NodeInfer& c, std::size_t rank) {
  const Content* amounts = c.content(1);
  SUBBYTE_TRY(const auto given, c.axes(3));
  if (amounts == nullptr || (c.has(3) && !given)) return std::nullopt;
  std::vector<std::size_t> axes;
  if (given) {
    SUBBYTE_TRY(axes, c.axes_of(*given, rank));
  } else {
    for (std::size_t i = 0; i < rank; ++i) axes.push_back(i);
  }
  if (amounts->size() != 2 * axes.size()) {
    return fail("its pads have {} elements; for {} axes there must be {}", amounts->size(),
                axes.size(), 2 * axes.size());
  }
  Pads pads{std::vector<Expr>(rank, c.zero()), std::vector<Expr>(rank, c.zero())};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    pads.begin[axes[i]] = (*amounts)[i];
    pads.end[axes[i]] = (*amounts)[axes.size() + i];
  }
  return pads;
}

// A vector of shape arithmetic with elements added at its ends.
std::optional<Content> padded_content(NodeInfer& c, const Pads& pads) {
  if (c.content(0) == nullptr || pads.begin.size() != 1 ||
      c.node.string_or("mode", "constant") != "constant")
    return std::nullopt;
  const auto begin = c.exprs.value(pads.begin[0]), end = c.exprs.value(pads.end[0]);
  const bool has_value = c.has(2);
  if (!begin || !end || *begin < 0 || *end < 0 || *begin > 64 || *end > 64 ||
      (has_value && (c.content(2) == nullptr || c.content(2)->size() != 1)))
    return std::nullopt;
  const Expr value = has_value ? c.content(2)->front() : c.zero();
  Content result(static_cast<std::size_t>(*begin), value);
  result.insert(result.end(), c.content(0)->begin(), c.content(0)->end());
  result.insert(result.end(), static_cast<std::size_t>(*end), value);
  return result;
}

}  // namespace

Expected<void> infer_pad(NodeInfer& c) {
  const DType dtype = c.in(0).dtype;
  c.set(0, dtype, std::nullopt);
  const std::string_view mode = c.node.string_or("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap") {
    return fail("its mode is {}; it must be 'constant', 'reflect', 'edge' or 'wrap'", quoted(mode));
  }
  if (c.has(2) && c.in(2).dtype != DType::undefined && dtype != DType::undefined &&
      c.in(2).dtype != dtype) {
    return fail("its input is {} and its constant value {}; they must have one data type",
                dtype_name(dtype), dtype_name(c.in(2).dtype));
  }
  const Shape* shape = c.shape(0);
  if (shape == nullptr) return {};
  SUBBYTE_TRY(const auto pads, pads_of(c, shape->size()));
  if (!pads) return {};
  Shape result;
  for (std::size_t i = 0; i < shape->size(); ++i) {
    const Expr size = (*shape)[i], begin = pads->begin[i], end = pads->end[i];
    if (mode != "constant" && c.exprs.is(size, 0) &&
        (c.exprs.upper(begin) > 0 || c.exprs.upper(end) > 0)) {
      return fail("axis {} of its input, of shape {}, is empty; there is nothing to pad it with", i,
                  c.text(*shape));
    }
    result.push_back(c.exprs.add(size, c.exprs.add(begin, end)));
    SUBBYTE_TRY(result.back(), c.size(result.back(), fmt::format("the padded size of axis {}", i)));
    // Of amounts that a run computes it is known only that they leave no negative size. The
    // expression says so, and what is computed of it needs no clamps.
    if (!c.exprs.value(begin) || !c.exprs.value(end))
      result.back() = c.exprs.max(result.back(), c.zero());
  }
  std::optional<Content> content;
  if (small_dims(c.exprs, result)) content = padded_content(c, *pads);
  c.set(0, dtype, std::move(result), std::move(content));
  return {};
}

}  // namespace subbyte
