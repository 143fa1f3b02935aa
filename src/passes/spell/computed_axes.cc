// Reductions, running sums and products, Squeeze, Unsqueeze, Slice and Pad whose axes a run says.
// How many axes there are is known, and which ones is arithmetic of sizes: a reduction takes each
// axis as two, of which one has size 1, and reduces every second one; the others are moved by
// reshaping, or get operands for all axes. An axis that is out of range is found by the Gather that
// looks it up, when the module runs.
#include "graph/ops.h"
#include "passes/spell/spell.h"

namespace subbyte {
namespace {

// Which input says the axes; 0: none does.
std::size_t axes_input(Op op) {
  switch (op) {
    case Op::Pad:
    case Op::Slice:
      return 3;
    case Op::CumProd:
    case Op::CumSum:
    case Op::Squeeze:
    case Op::Unsqueeze:
      return 1;
    default:
      return op_info(op).infer == op_info(Op::ReduceSum).infer ? 1 : 0;
  }
}

std::int64_t signed_size(std::size_t size) { return static_cast<std::int64_t>(size); }

// Vectors of int64 about the axes of a tensor, `rank` long: all are shape arithmetic.
class Axes {
 public:
  Axes(Speller& speller, std::size_t rank, std::size_t count)
      : s(speller), rank_(signed_size(rank)), count_(signed_size(count)) {
    const ValueId axes = s.reshaped("axes", s.cast("axes_64", input(), DType::int64), {count_});
    Numbers rows(rank * rank);
    for (std::size_t i = 0; i < rank; ++i) rows[i * rank + i] = 1;
    named_ =
        s.add(Op::Gather, "axes_named", {table("axes_table", rows), axes}, {integer("axis", 0)});
    is_axis =
        s.cast("is_axis", reduced(s, Op::ReduceMax, "named", named_, {0}, false), DType::boolean);
  }

  ValueId is_axis = kNone;  // bool, of each axis

  // For each axis the element of a vector that stands where that axis is named, else that of
  // another vector.
  ValueId spread(std::string_view what, ValueId vector, ValueId otherwise) {
    const Numbers each(static_cast<std::size_t>(count_), 1);
    const auto rows = s.split("row", named_, 0, each);
    const auto elements = s.split("element", s.cast("elements", vector, DType::int64), 0, each);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const ValueId here = s.cast("here", s.reshaped("here_row", rows[i], {rank_}), DType::boolean);
      otherwise = s.add(Op::Where, what, {here, elements[i], otherwise});
    }
    return otherwise;
  }
  // Where an axis is named, and where it is not.
  ValueId choose(std::string_view what, ValueId named, ValueId other) {
    return s.add(Op::Where, what, {is_axis, named, other});
  }
  ValueId all(std::string_view what, std::int64_t number) {
    return s.int64s(what, Numbers(static_cast<std::size_t>(rank_), number));
  }
  // How many of the axes before each, or up to it, a vector of bool names.
  ValueId counted(ValueId vector, bool inclusive) {
    Numbers below(static_cast<std::size_t>(rank_ * rank_));
    for (std::int64_t i = 0; i < rank_; ++i)
      for (std::int64_t k = 0; k < i + (inclusive ? 1 : 0); ++k)
        below[static_cast<std::size_t>(i * rank_ + k)] = 1;
    const ValueId numbers = s.cast("counted_numbers", vector, DType::int64);
    const ValueId terms = s.add(Op::Mul, "counted_terms", {table("counted_table", below), numbers});
    return reduced(s, Op::ReduceSum, "counted", terms, {1}, false);
  }
  // The sizes without those of the axes that are named.
  ValueId others(ValueId sizes) {
    const auto length = static_cast<std::size_t>(rank_ - count_);
    const Numbers each(static_cast<std::size_t>(rank_), 1);
    const ValueId places = s.int64s("places", axes_between(0, length));
    const ValueId stays = s.add(Op::Not, "stays", {is_axis});
    const auto number = s.split("number", counted(stays, false), 0, each);
    const auto stay = s.split("stay", stays, 0, each);
    const auto size = s.split("size", sizes, 0, each);
    ValueId result = s.int64s("no_sizes", Numbers(length, 0));
    for (std::size_t i = 0; i < each.size(); ++i) {
      const ValueId at = s.add(Op::Equal, "at", {places, number[i]});
      const ValueId here = s.add(Op::And, "stays_at", {at, stay[i]});
      result = s.add(Op::Where, "others", {here, size[i], result});
    }
    return result;
  }
  // The sizes of a tensor of rank `from`, with 1 at the axes that are named.
  ValueId with_ones(ValueId sizes, std::size_t from) {
    const ValueId ones = all("ones", 1);
    if (from == 0) return ones;
    const ValueId stays = s.add(Op::Not, "stays", {is_axis});
    const ValueId number = s.add(
        Op::Min, "number", {counted(stays, false), s.int64s("last", {signed_size(from) - 1})});
    return choose("with_ones", ones,
                  s.add(Op::Gather, "own_sizes", {sizes, number}, {integer("axis", 0)}));
  }

 private:
  ValueId input() const { return s.input(axes_input(s.node().op)); }
  ValueId table(std::string_view what, const Numbers& rows) {
    return s.constant(what, make_int64_tensor({rank_, rank_}, rows));
  }

  Speller& s;
  std::int64_t rank_, count_;
  ValueId named_ = kNone;  // [count, rank] of 0 and 1
};

ValueId shape_of(Speller& s) { return s.add(Op::Shape, "sizes", {s.input(0)}); }

// Sizes may be 0, which is no copy of another.
ValueId reshape_to(Speller& s, std::string_view what, ValueId value, ValueId shape) {
  return s.add(Op::Reshape, what, {value, shape}, {integer("allowzero", 1)});
}
void finish_reshaped(Speller& s, ValueId value, ValueId shape) {
  s.finish(Op::Reshape, {value, shape}, {integer("allowzero", 1)});
}

void reduce_by(Speller& s, Axes& axes, std::size_t rank) {
  const ValueId sizes = shape_of(s), ones = axes.all("ones", 1);
  const ValueId kept = axes.choose("kept", ones, sizes), taken = axes.choose("taken", sizes, ones);
  const ValueId column = s.int64s("column", {1});
  const ValueId pairs = s.add(Op::Concat, "pairs",
                              {s.add(Op::Unsqueeze, "kept_column", {kept, column}),
                               s.add(Op::Unsqueeze, "taken_column", {taken, column})},
                              {integer("axis", 1)});
  const ValueId divided = reshape_to(s, "divided", s.input(0),
                                     s.reshaped("pair_sizes", pairs, {signed_size(2 * rank)}));
  Numbers seconds;
  for (std::size_t i = 0; i < rank; ++i) seconds.push_back(signed_size(2 * i + 1));
  const ValueId result = reduced(s, s.node().op, "result", divided, seconds, false);
  if (s.node().int_or("keepdims", 1) != 0) {
    s.finish(0, result);
  } else {
    finish_reshaped(s, result, axes.others(sizes));
  }
}

void run_along(Speller& s, Axes& axes) {
  const ValueId sizes = shape_of(s), ones = axes.all("ones", 1);
  const auto product_where = [&](std::string_view what, ValueId condition) {
    return reduced(s, Op::ReduceProd, what, s.add(Op::Where, what, {condition, sizes, ones}), {0});
  };
  const ValueId zero = axes.all("zeros", 0);
  const ValueId before = s.add(Op::Equal, "before", {axes.counted(axes.is_axis, true), zero});
  const ValueId after = s.add(Op::Greater, "after", {axes.counted(axes.is_axis, false), zero});
  const ValueId shape =
      s.add(Op::Concat, "lines",
            {product_where("size_before", before), product_where("length", axes.is_axis),
             product_where("size_after", after)},
            {integer("axis", 0)});
  std::vector<Attribute> attributes;
  for (const char* name : {"exclusive", "reverse"})
    attributes.push_back(integer(name, s.node().int_or(name, 0)));
  const std::int64_t middle = 1;
  const ValueId axis = s.constant("middle", make_int64_tensor({}, std::span(&middle, 1)));
  finish_reshaped(s,
                  s.add(s.node().op, "result", {reshape_to(s, "divided", s.input(0), shape), axis},
                        std::move(attributes)),
                  sizes);
}

void slice_along(Speller& s, Axes& axes, std::size_t rank) {
  const ValueId start = axes.spread("starts", s.input(1), axes.all("first", 0));
  const ValueId end = axes.spread("ends", s.input(2), shape_of(s));
  const ValueId ones = axes.all("one", 1);
  const ValueId step = s.has(4) ? axes.spread("steps", s.input(4), ones) : ones;
  s.finish(Op::Slice, {s.input(0), start, end, s.int64s("all_axes", axes_between(0, rank)), step});
}

void pad_along(Speller& s, Axes& axes, std::size_t count) {
  const Numbers halves(2, signed_size(count));
  const auto pads = s.split("pads", s.input(1), 0, halves);
  const ValueId none = axes.all("none", 0);
  const ValueId all =
      s.add(Op::Concat, "all_pads",
            {axes.spread("before", pads[0], none), axes.spread("after", pads[1], none)},
            {integer("axis", 0)});
  std::vector<ValueId> inputs{s.input(0), all};
  if (s.has(2)) inputs.push_back(s.input(2));
  s.finish(Op::Pad, std::move(inputs),
           {{"mode", std::string(s.node().string_or("mode", "constant"))}});
}

}  // namespace

bool has_computed_axes(const Graph& graph, const Node& node) {
  if (node.op == Op::Unknown) return false;
  const std::size_t input = axes_input(node.op);
  return input != 0 && node.has_input(input) && graph.constant(node.inputs[input]) == nullptr;
}

Expected<bool> spell_computed_axes(Speller& s) {
  const Op op = s.node().op;
  const ValueId axes_value = s.input(axes_input(op));
  const auto& content = s.value(axes_value).content;
  if (!s.rank() || !content || s.numbers(axes_value)) return false;
  const std::size_t count = content->size(), rank = *s.rank() + (op == Op::Unsqueeze ? count : 0);
  if (count > rank) return fail("it names {} axes of a tensor of rank {}", count, rank);
  Axes axes(s, rank, count);
  switch (op) {
    case Op::CumProd:
    case Op::CumSum:
      if (count != 1) return fail("its axis has {} elements; it must have one", count);
      run_along(s, axes);
      break;
    case Op::Pad:
      pad_along(s, axes, count);
      break;
    case Op::Slice:
      slice_along(s, axes, rank);
      break;
    case Op::Squeeze:
      finish_reshaped(s, s.input(0), axes.others(shape_of(s)));
      break;
    case Op::Unsqueeze:
      finish_reshaped(s, s.input(0), axes.with_ones(shape_of(s), *s.rank()));
      break;
    default:
      reduce_by(s, axes, rank);
  }
  return true;
}

}  // namespace subbyte
