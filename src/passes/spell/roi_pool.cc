// MaxRoiPool: the greatest element of each part of each region, whose ends are computed.
#include <limits>

#include "graph/node_form.h"
#include "graph/ops.h"
#include "passes/spell/attention.h"
#include "reference/element.h"

namespace subbyte {
namespace {

ValueId number(Speller& s, double value) { return s.number("number", DType::float32, value); }

// To the nearest whole number, away from 0 where two are as near.
ValueId rounded_away(Speller& s, ValueId x) {
  const ValueId size = s.add(Op::Abs, "size", {x});
  const ValueId whole = s.add(Op::Floor, "whole", {size});
  const ValueId rest = s.add(Op::Sub, "rest", {size, whole});
  const ValueId is_up = s.add(Op::GreaterOrEqual, "is_up", {rest, number(s, 0.5)});
  const ValueId next = s.add(Op::Add, "next", {whole, number(s, 1)});
  const ValueId near = s.add(Op::Where, "near", {is_up, next, whole});
  return s.add(Op::Mul, "rounded", {near, s.add(Op::Sign, "sign", {x})});
}

// Which of the elements of an axis are in each of `bins` parts of each region: [R, bins, length].
// Its first and last element are given as [R, 1]. Neighbouring parts may share elements.
ValueId members(Speller& s, ValueId first, ValueId last, std::int64_t bins, Size length) {
  const ValueId way = s.add(Op::Sub, "way", {last, first});
  const ValueId span =
      s.add(Op::Max, "span", {s.add(Op::Add, "elements", {way, number(s, 1)}), number(s, 1)});
  const ValueId step = s.add(Op::Div, "step", {span, number(s, static_cast<double>(bins))},
                             {integer(std::string(kRoundedQuotient), 1)});
  const auto end_of = [&](std::string_view what, Op op, std::int64_t from) {
    std::vector<double> numbers;
    for (std::int64_t bin = 0; bin < bins; ++bin)
      numbers.push_back(static_cast<double>(bin + from));
    const ValueId bin =
        s.defined("bins", reference::tensor_from(DType::float32, {1, bins}, numbers));
    const ValueId part = s.add(op, "part", {s.add(Op::Mul, "steps", {bin, step})});
    return s.add(Op::Unsqueeze, what,
                 {s.add(Op::Add, "place", {part, first}), s.int64s("end_axis", {2})});
  };
  const ValueId at = s.cast("at", positions(s, std::move(length)), DType::float32);
  return both(s, s.add(Op::GreaterOrEqual, "from", {at, end_of("begin", Op::Floor, 0)}),
              s.add(Op::Less, "before", {at, end_of("end", Op::Ceil, 1)}));
}

ValueId with_axes(Speller& s, ValueId value, std::initializer_list<std::int64_t> axes) {
  return s.add(Op::Unsqueeze, "placed", {value, s.int64s("placed_axes", axes)});
}

// The greatest member along the last axis.
ValueId greatest(Speller& s, std::string_view what, ValueId x, ValueId member) {
  const ValueId lowest =
      s.number("lowest", s.value(x).dtype, -std::numeric_limits<double>::infinity());
  const ValueId seen = s.add(Op::Where, "seen", {member, x, lowest});
  return reduced(s, Op::ReduceMax, what, seen, {4}, false);
}

}  // namespace

// Inputs are images [N, C, H, W] and regions [R, 5]: the image of each, x1, y1, x2, y2. A part
// without elements is 0. ONNX Runtime, core/providers/cpu/object_detection/roi_pool.cc, says how
// ends are rounded.
Expected<bool> spell_max_roi_pool(Speller& s) {
  SUBBYTE_CHECK_OK(s.needs({0, 1}));
  const ValueId image = s.input(0);
  if (!s.rank() || !s.rank(s.input(1))) return false;
  if (*s.rank() != 4 || s.known_rank(s.input(1)) != 2)
    return fail("its inputs have ranks {} and {}; they must be 4 and 2", *s.rank(),
                s.known_rank(s.input(1)));
  const auto shape = s.node().ints("pooled_shape");
  constexpr std::int64_t kMostParts = 4096;
  if (!shape || shape->size() != 2 || (*shape)[0] < 1 || (*shape)[1] < 1 ||
      (*shape)[0] > kMostParts || (*shape)[1] > kMostParts)
    return fail("its pooled_shape must be two sizes in [1, {}]", kMostParts);
  const std::int64_t rows = (*shape)[0], columns = (*shape)[1];
  const auto parts =
      s.split("region", s.cast("regions", s.input(1), DType::float32), 1, Numbers{1, 4});
  const ValueId scaled =
      s.add(Op::Mul, "scaled",
            {parts[1], number(s, static_cast<double>(s.node().float_or("spatial_scale", 1)))});
  const auto sides = s.split("side", rounded_away(s, scaled), 1, Numbers(4, 1));  // x1, y1, x2, y2
  const ValueId in_row = members(s, sides[1], sides[3], rows, s.size(image, 2));
  const ValueId in_column = members(s, sides[0], sides[2], columns, s.size(image, 3));
  const ValueId which = s.cast(
      "which", s.add(Op::Squeeze, "images", {parts[0], s.int64s("image_axis", {1})}), DType::int32);
  const ValueId of_region = s.add(Op::Gather, "of_region", {image, which}, {integer("axis", 0)});
  // [R, C, rows, W, H], then [R, C, rows, columns, W].
  const ValueId across = with_axes(s, s.transpose("across", of_region, {0, 1, 3, 2}), {2});
  const ValueId of_rows = greatest(s, "of_rows", across, with_axes(s, in_row, {1, 3}));
  const ValueId of_parts =
      greatest(s, "of_parts", with_axes(s, of_rows, {3}), with_axes(s, in_column, {1, 2}));
  const auto any = [&](ValueId member) {
    return reduced(s, Op::ReduceMax, "any", member, {2}, false);
  };
  const ValueId has_any =
      both(s, with_axes(s, any(in_row), {1, 3}), with_axes(s, any(in_column), {1, 2}));
  s.finish(Op::Where, {has_any, of_parts, s.number("nothing", 0)});
  return true;
}

}  // namespace subbyte
