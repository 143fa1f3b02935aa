// Unique: rows sorted, of which the first of each kind are kept.
#include <limits>

#include "graph/ops.h"
#include "passes/spell/spell.h"
#include "reference/element.h"

namespace subbyte {
namespace {

// Columns are sorted one after the other.
constexpr std::int64_t kMostColumns = 64;

ValueId scalar(Speller& s, std::string_view what, std::int64_t number) {
  return s.constant(what, make_int64_tensor({}, std::span(&number, 1)));
}

// The numbers of the rows [n, width] in the order of the rows, and of the numbers where rows are
// equal: sorted by each column, the last one first, none of which changes what another left equal.
ValueId sorted_rows(Speller& s, ValueId rows, std::int64_t width) {
  const ValueId count = s.sizes("count", {s.size(rows, 0)});
  ValueId order = kNone;
  for (std::int64_t column = width; column-- > 0;) {
    ValueId keys = s.add(Op::Gather, "column", {rows, scalar(s, "column_number", column)},
                         {integer("axis", 1)});
    if (order != kNone) keys = s.add(Op::Gather, "ordered", {keys, order}, {integer("axis", 0)});
    const ValueId next =
        s.add_several(Op::TopK, "sorted", 2, {keys, count},
                      {integer("axis", 0), integer("largest", 0), integer("sorted", 1)})[1];
    order = order == kNone ? next : s.add(Op::Gather, "order", {order, next}, {integer("axis", 0)});
  }
  return order;
}

// Zeros with a vector's elements at these places, or their sums where `reduction` is "add".
ValueId scattered(Speller& s, std::string_view what, ValueId count, ValueId places, ValueId values,
                  const char* reduction) {
  const std::int64_t zero = 0;
  const ValueId none = s.add(Op::ConstantOfShape, "none", {count},
                             {{"value", make_int64_tensor({1}, std::span(&zero, 1))}});
  return s.add(Op::ScatterElements, what, {none, places, values},
               {integer("axis", 0), {"reduction", std::string(reduction)}});
}

ValueId numbered(Speller& s, ValueId flags) {
  const ValueId sum = s.add(Op::CumSum, "counted", {flags, scalar(s, "axis", 0)});
  return s.add(Op::Sub, "number", {sum, scalar(s, "one", 1)});
}

ValueId places_of(Speller& s, std::string_view what, ValueId flags) {
  const ValueId found = s.add(Op::NonZero, what, {flags});
  return s.add(Op::Squeeze, what, {found, s.int64s("found_axis", {0})});
}

// The rows that are compared: each a number, or what lies across the axis.
Expected<std::optional<std::pair<ValueId, std::int64_t>>> rows_of(Speller& s) {
  using Rows = std::optional<std::pair<ValueId, std::int64_t>>;
  const DType dtype = s.dtype() == DType::boolean ? DType::int32 : s.dtype();
  const ValueId x = s.cast("numbers", s.input(0), dtype);
  const auto rank = static_cast<std::int64_t>(*s.rank());
  if (s.node().find("axis") == nullptr) return Rows({s.reshaped("rows", x, {-1, 1}), 1});
  std::int64_t axis = s.node().int_or("axis", 0);
  if (axis < -rank || axis >= rank)
    return fail("its axis {} is out of range for rank {}", axis, rank);
  if (axis < 0) axis += rank;
  Numbers order{axis};
  std::int64_t width = 1;
  for (std::int64_t i = 0; i < rank; ++i) {
    if (i == axis) continue;
    order.push_back(i);
    const auto size = s.known_size(x, static_cast<std::size_t>(i));
    if (!size || *size > kMostColumns) return Rows{};
    width *= *size;
  }
  if (width < 1 || width > kMostColumns) return Rows{};
  const ValueId turned = s.transpose("axis_first", x, order);
  return Rows({s.reshape("rows", turned, {s.size(turned, 0), size_of(width)}), width});
}

}  // namespace

Expected<bool> spell_unique(Speller& s) {
  if (!s.rank()) return false;
  SUBBYTE_TRY(const auto compared, rows_of(s));
  if (!compared)
    return fail_as(ErrorKind::unsupported,
                   "it compares slices of more than {} elements, or of a size that is not known "
                   "when converting",
                   kMostColumns);
  const auto [rows, width] = *compared;
  const ValueId count = s.sizes("count", {s.size(rows, 0)});
  const ValueId order = sorted_rows(s, rows, width);
  const ValueId sorted = s.add(Op::Gather, "sorted_rows", {rows, order}, {integer("axis", 0)});
  const ValueId numbers = s.range("numbers", s.reshaped("length", count, {}));
  const ValueId earlier =
      s.add(Op::Max, "earlier",
            {s.add(Op::Sub, "before", {numbers, scalar(s, "step", 1)}), scalar(s, "first", 0)});
  const ValueId other = s.add(Op::Gather, "other_rows", {sorted, earlier}, {integer("axis", 0)});
  const ValueId differs =
      s.cast("differs", s.add(Op::Not, "not_equal", {s.add(Op::Equal, "equal", {sorted, other})}),
             DType::int32);
  const ValueId changes = s.cast(
      "changes", reduced(s, Op::ReduceMax, "any_differs", differs, {1}, false), DType::boolean);
  const ValueId is_new =
      s.add(Op::Or, "is_new",
            {changes, s.add(Op::Equal, "is_first", {numbers, scalar(s, "none_before", 0)})});
  const ValueId flags = s.cast("flags", is_new, DType::int64);
  // Of each kind the row that comes first, by kind, and of each row its kind.
  ValueId first =
      s.add(Op::Gather, "first_rows", {order, places_of(s, "kinds", flags)}, {integer("axis", 0)});
  ValueId kind = scattered(s, "kind_of_row", count, order, numbered(s, flags), "none");
  if (s.node().int_or("sorted", 1) == 0) {
    const ValueId comes_first = scattered(s, "comes_first", count, order, flags, "none");
    const ValueId rank =
        s.add(Op::Gather, "appearance", {numbered(s, comes_first), first}, {integer("axis", 0)});
    kind = s.add(Op::Gather, "kind_by_appearance", {rank, kind}, {integer("axis", 0)});
    first = places_of(s, "appearances", comes_first);
  }
  const bool flat = s.node().find("axis") == nullptr;
  s.finish(Op::Gather, {flat ? s.reshaped("flat", s.input(0), {-1}) : s.input(0), first},
           {integer("axis", flat ? 0 : s.node().int_or("axis", 0))});
  if (s.wants(1)) s.finish(1, first);
  if (s.wants(2)) s.finish(2, kind);
  if (s.wants(3)) {
    const std::int64_t one = 1;
    const ValueId ones = s.add(Op::ConstantOfShape, "ones", {count},
                               {{"value", make_int64_tensor({1}, std::span(&one, 1))}});
    s.finish(
        3, scattered(s, "occurrences", s.add(Op::Shape, "kind_count", {first}), kind, ones, "add"));
  }
  return true;
}

}  // namespace subbyte
