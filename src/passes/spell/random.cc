// Random numbers. A module gives the same in every run: those of a seed are drawn when converting,
// by a generator of our own, which is not that of any other runtime. Without a seed they must not
// matter: a spread of 0, or readers that give the same whatever was drawn.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "graph/ops.h"
#include "passes/spell/draw.h"
#include "passes/spell/spell.h"
#include "reference/element.h"

namespace subbyte {
namespace {

tl::unexpected<Error> refused(std::string_view reason) {
  return fail_as(ErrorKind::unsupported, "{}", reason);
}

// What a node draws from.
struct Distribution {
  bool normal;
  double first, second;  // the bounds, or mean and deviation

  bool is_fixed() const { return normal ? second == 0 : first == second; }
  double middle() const { return normal ? first : first + (second - first) / 2; }
};

Distribution distribution_of(const Node& node) {
  if (node.op == Op::RandomNormal || node.op == Op::RandomNormalLike)
    return {true, node.float_or("mean", 0), node.float_or("scale", 1)};
  return {false, node.float_or("low", 0), node.float_or("high", 1)};
}

// Whether the constant's elements are all v.
bool all_are(const Tensor& tensor, double v) {
  if (!is_float(tensor.dtype) || tensor.elements() > 4096) return false;
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  read_floats(tensor, 0, tensor.elements(), values.data());
  return std::ranges::all_of(values, [&](float value) { return static_cast<double>(value) == v; });
}

// Whether the node's result is the same for almost every draw that it reads as `value`.
class Indifference {
 public:
  explicit Indifference(const Speller& speller) : s(speller) {}

  bool holds(ValueId value, const Distribution* drawn, int depth = 0) const {
    if (depth > 8 || std::ranges::count(s.graph().outputs, value) > 0) return false;
    bool read = false;
    for (const Node& node : s.nodes()) {
      if (std::ranges::count(node.inputs, value) == 0) continue;
      read = true;
      if (!reader_holds(node, value, drawn, depth)) return false;
    }
    return read;
  }

 private:
  bool reader_holds(const Node& node, ValueId value, const Distribution* drawn, int depth) const {
    switch (node.op) {
      case Op::Shape:
      case Op::Size:
        return true;
      case Op::Mul: {
        const ValueId other = node.inputs[node.inputs[0] == value ? 1 : 0];
        const Tensor* factor = s.constant(other);
        if (factor != nullptr && all_are(*factor, 0)) return true;
        return holds(node.outputs[0], nullptr, depth + 1);
      }
      case Op::Cast:
      case Op::Identity:
        return holds(node.outputs[0], node.op == Op::Identity ? drawn : nullptr, depth + 1);
      case Op::Greater:
      case Op::GreaterOrEqual:
      case Op::Less:
      case Op::LessOrEqual: {
        const ValueId other = node.inputs[node.inputs[0] == value ? 1 : 0];
        const Tensor* bound = s.constant(other);
        if (drawn == nullptr || drawn->normal || bound == nullptr || bound->elements() != 1 ||
            !is_float(bound->dtype))
          return false;
        float limit = 0;
        read_floats(*bound, 0, 1, &limit);
        return limit <= drawn->first || limit >= drawn->second;
      }
      default:
        return false;
    }
  }

  const Speller& s;
};

// A tensor of this number with the node's shape.
void finish_filled(Speller& s, DType dtype, double number) {
  if (const auto shape = s.node().ints("shape")) {
    s.finish(Op::Expand, {s.number("number", dtype, number), s.int64s("shape", *shape)});
    return;
  }
  s.finish(Op::Expand,
           {s.number("number", dtype, number), s.add(Op::Shape, "shape", {s.input(0)})});
}

std::optional<Numbers> known_shape(Speller& s) {
  if (const auto shape = s.node().ints("shape")) return Numbers(shape->begin(), shape->end());
  Numbers shape;
  for (std::size_t axis = 0; axis < s.known_rank(s.input(0)); ++axis) {
    const auto size = s.known_size(s.input(0), axis);
    if (!size) return std::nullopt;
    shape.push_back(*size);
  }
  return shape;
}

// What is drawn becomes a constant.
constexpr std::int64_t kMostDrawn = 1 << 22;

Expected<Numbers> drawn_shape(Speller& s) {
  const auto shape = known_shape(s);
  if (!shape)
    return refused(
        "it has a seed and sizes that are not known when converting; its numbers are drawn then "
        "(--dim gives sizes)");
  std::int64_t count = 1;
  for (const std::int64_t size : *shape)
    if (size < 0 || __builtin_mul_overflow(count, size, &count) || count > kMostDrawn)
      return refused("it draws more than 4194304 numbers");
  return *shape;
}

std::uint64_t seed_of(const Node& node) {
  // As it is written: a float of the file.
  const float seed = node.float_or("seed", 0);
  std::uint32_t bits = 0;
  std::memcpy(&bits, &seed, sizeof bits);
  return bits;
}

Expected<DType> dtype_of(Speller& s) {
  const bool like = s.has(0);
  const std::int64_t otherwise = like ? static_cast<std::int64_t>(s.dtype()) : 1;
  const auto dtype = static_cast<DType>(s.node().int_or("dtype", otherwise));
  if (!is_float(dtype) && s.node().op != Op::Bernoulli)
    return refused("its dtype is none of the floats");
  if (!is_float(dtype) && !is_integer(dtype) && dtype != DType::boolean)
    return refused("its dtype is none of floats, integers and bool");
  return dtype;
}

}  // namespace

Expected<bool> spell_random(Speller& s) {
  if (s.has(0) && !s.rank()) return false;
  SUBBYTE_TRY(const DType dtype, dtype_of(s));
  const Distribution d = distribution_of(s.node());
  const bool seeded = s.node().find("seed") != nullptr;
  if (d.is_fixed() || (!seeded && Indifference(s).holds(s.node().outputs[0], &d))) {
    finish_filled(s, dtype, d.middle());
    return true;
  }
  if (!seeded)
    return refused(
        "it draws random numbers that its readers need, and has no seed; give it one, or export "
        "the model without sampling");
  SUBBYTE_TRY(const Numbers shape, drawn_shape(s));
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::uint64_t>(i);
    values.push_back(d.normal
                         ? d.first + d.second * drawn_normal(seed_of(s.node()), at)
                         : d.first + (d.second - d.first) * drawn_uniform(seed_of(s.node()), at));
  }
  s.finish(0, s.defined("drawn", reference::tensor_from(dtype, shape, values)));
  return true;
}

// 1 where a number drawn from [0, 1) is below the input.
Expected<bool> spell_bernoulli(Speller& s) {
  if (!s.rank()) return false;
  SUBBYTE_TRY(const DType dtype, dtype_of(s));
  if (s.node().find("seed") == nullptr)
    return refused(
        "it draws random numbers that its readers need, and has no seed; give it one, or export "
        "the model without sampling");
  SUBBYTE_TRY(const Numbers shape, drawn_shape(s));
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(drawn_uniform(seed_of(s.node()), static_cast<std::uint64_t>(i)));
  const ValueId drawn = s.defined("drawn", reference::tensor_from(s.dtype(), shape, values));
  s.finish(0, s.cast("result", s.add(Op::Less, "below", {drawn, s.input(0)}), dtype));
  return true;
}

}  // namespace subbyte
