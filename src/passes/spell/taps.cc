#include "passes/spell/taps.h"

#include "graph/ops.h"

namespace subbyte {
namespace {

ValueId one(Speller& s) { return s.number("one", DType::float32, 1); }

ValueId clamped(Speller& s, ValueId at, ValueId last) {
  const ValueId above = s.add(Op::Max, "above", {at, s.number("zero", DType::float32, 0)});
  return s.add(Op::Min, "inside", {above, last});
}

}  // namespace

ValueId size_number(Speller& s, std::string_view what, ValueId of, std::size_t axis, DType dtype) {
  const ValueId size = s.sizes(what, {s.size(of, axis)});
  return s.cast(what, s.reshaped(what, size, {}), dtype);
}

Neighbours neighbours_inside(Speller& s, ValueId at, ValueId last) {
  const ValueId low = s.add(Op::Floor, "low", {at});
  const ValueId high = s.add(Op::Min, "high", {s.add(Op::Add, "next", {low, one(s)}), last});
  const ValueId weight = s.add(Op::Sub, "high_weight", {at, low});
  return {s.cast("low_at", low, DType::int32), s.cast("high_at", high, DType::int32),
          s.add(Op::Sub, "low_weight", {one(s), weight}), weight};
}

Neighbours neighbours_padded(Speller& s, ValueId at, ValueId last) {
  const ValueId low = s.add(Op::Floor, "low", {at});
  const ValueId high = s.add(Op::Add, "high", {low, one(s)});
  const ValueId weight = s.add(Op::Sub, "high_weight", {at, low});
  const ValueId zero = s.number("zero", DType::float32, 0);
  const auto weighed = [&](ValueId place, ValueId value) {
    const ValueId inside = s.add(Op::And, "is_inside",
                                 {s.add(Op::GreaterOrEqual, "not_before", {place, zero}),
                                  s.add(Op::LessOrEqual, "not_after", {place, last})});
    return s.add(Op::Where, "weight", {inside, value, zero});
  };
  return {s.cast("low_at", clamped(s, low, last), DType::int32),
          s.cast("high_at", clamped(s, high, last), DType::int32),
          weighed(low, s.add(Op::Sub, "low_weight", {one(s), weight})), weighed(high, weight)};
}

void hide_neighbours(Speller& s, Neighbours& neighbours, ValueId shown) {
  const ValueId zero = s.number("zero", DType::float32, 0);
  for (ValueId* weight : {&neighbours.low_weight, &neighbours.high_weight})
    *weight = s.add(Op::Where, "weight", {shown, *weight, zero});
}

std::vector<ValueId> weighted_taps(Speller& s, ValueId planes, ValueId image, ValueId height,
                                   ValueId width, const Neighbours& y, const Neighbours& x) {
  const DType dtype = s.value(planes).dtype;
  const ValueId first_row = s.add(Op::Mul, "first_row", {image, height});
  std::vector<ValueId> taps;
  for (const auto& [row, row_weight] : {std::pair(y.low, y.low_weight), {y.high, y.high_weight}}) {
    const ValueId line = s.add(Op::Mul, "line", {s.add(Op::Add, "row", {first_row, row}), width});
    for (const auto& [column, weight] : {std::pair(x.low, x.low_weight), {x.high, x.high_weight}}) {
      const ValueId place = s.add(Op::Add, "place", {line, column});
      const ValueId element = s.add(Op::Gather, "element", {planes, place}, {integer("axis", 1)});
      const ValueId product = s.add(Op::Mul, "weights", {row_weight, weight});
      taps.push_back(s.add(Op::Mul, "tap", {element, s.cast("tap_weight", product, dtype)}));
    }
  }
  return taps;
}

}  // namespace subbyte
