// Shape arithmetic that passes through floats, as exporters write it: Cast, Mul by a scale, Floor,
// Cast. Elements are exact fractions. Only what float32 computes without rounding is followed:
// sizes below 2^24 and scales with few bits. A quotient by any integer may still be rounded down or
// up, because the nearest float to a fraction lies on the same side of the integers as the
// fraction.
#include <cmath>

#include "graph/arithmetic.h"
#include "graph/infer.h"
#include "graph/infer/node_infer.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

constexpr std::int64_t kMaxDenominator = 256;
constexpr double kMaxConstant = 65536;

bool is_dyadic(const Ratio& r) {
  return (r.denominator & (r.denominator - 1)) == 0 && r.denominator <= kMaxDenominator &&
         !r.divisor;
}

Ratio reduced(ExprPool& p, Expr numerator, std::int64_t denominator) {
  const std::int64_t common = gcd_int(p.divisor(numerator), denominator);
  if (common <= 1) return {numerator, denominator};
  return {p.floor_div(numerator, p.constant(common)), denominator / common};
}

std::optional<Ratios> constant_ratios(NodeInfer& c, const Tensor& tensor) {
  if (!is_float(tensor.dtype) || tensor.elements() > 64) return std::nullopt;
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  read_floats(tensor, 0, tensor.elements(), values.data());
  Ratios result;
  for (const float value : values) {
    const double scaled = static_cast<double>(value) * kMaxDenominator;
    if (!(std::abs(value) <= kMaxConstant) || scaled != std::floor(scaled)) return std::nullopt;
    result.push_back(
        reduced(c.exprs, c.exprs.constant(static_cast<std::int64_t>(scaled)), kMaxDenominator));
  }
  return result;
}

std::optional<Ratios> operand(NodeInfer& c, std::size_t i) {
  if (const Ratios* known = c.ratios(i)) return *known;
  const Tensor* tensor = c.has(i) ? c.graph().constant(c.node.inputs[i]) : nullptr;
  return tensor == nullptr ? std::nullopt : constant_ratios(c, *tensor);
}

std::optional<Ratio> combine(ExprPool& p, Op op, const Ratio& a, const Ratio& b) {
  if (!is_dyadic(a) || !is_dyadic(b)) return std::nullopt;
  const Expr scale_a = p.constant(b.denominator), scale_b = p.constant(a.denominator);
  const std::int64_t denominator = a.denominator * b.denominator;
  const auto of_b = p.value(b.numerator);
  switch (op) {
    case Op::Add:
      return reduced(p, p.add(p.mul(a.numerator, scale_a), p.mul(b.numerator, scale_b)),
                     denominator);
    case Op::Sub:
      return reduced(p, p.sub(p.mul(a.numerator, scale_a), p.mul(b.numerator, scale_b)),
                     denominator);
    case Op::Mul:
      // A product of two sizes may need more bits than a float has.
      if (!p.value(a.numerator) && !of_b) return std::nullopt;
      return reduced(p, p.mul(a.numerator, b.numerator), denominator);
    case Op::Div: {
      // One size over another.
      if (!of_b && a.denominator == 1 && b.denominator == 1 && p.lower(b.numerator) >= 0)
        return Ratio{a.numerator, 1, b.numerator};
      if (!of_b || *of_b <= 0) return std::nullopt;
      return reduced(p, p.mul(a.numerator, scale_a), saturating_mul(a.denominator, *of_b));
    }
    default:
      return std::nullopt;
  }
}

Expr rounded(ExprPool& p, const Ratio& r, Op op) {
  const Expr by = p.constant(r.denominator);
  if (op == Op::Floor) return p.floor_div(r.numerator, by);
  if (op == Op::Ceil) return p.ceil_div(r.numerator, by);
  // A Cast to an integer rounds to zero.
  if (p.lower(r.numerator) >= 0) return p.floor_div(r.numerator, by);
  return p.select(p.less(r.numerator, p.constant(0)), p.ceil_div(r.numerator, by),
                  p.floor_div(r.numerator, by));
}

std::optional<Ratios> binary(NodeInfer& c) {
  const auto a = operand(c, 0), b = operand(c, 1);
  if (!a || !b) return std::nullopt;
  // Scalars and vectors are all that shape arithmetic uses.
  const std::size_t count = std::max(a->size(), b->size());
  if ((a->size() != count && a->size() != 1) || (b->size() != count && b->size() != 1)) {
    return std::nullopt;
  }
  Ratios result;
  for (std::size_t i = 0; i < count; ++i) {
    const auto r =
        combine(c.exprs, c.node.op, (*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]);
    if (!r) return std::nullopt;
    result.push_back(*r);
  }
  return result;
}

void infer_cast_ratios(NodeInfer& c) {
  const auto to = static_cast<DType>(c.node.int_or("to", 0));
  const bool to_float = to == DType::float32 || to == DType::float64;
  if (const Content* content = c.content(0); content != nullptr && to_float) {
    Ratios result;
    for (const Expr e : *content) result.push_back({e, 1});
    c.set_ratios(0, std::move(result));
    return;
  }
  const auto from = operand(c, 0);
  if (!from) return;
  if (to_float) {
    c.set_ratios(0, from);
  } else if (to == DType::int64 || to == DType::int32) {
    Content content;
    for (const Ratio& r : *from) {
      if (r.divisor) return;
      content.push_back(rounded(c.exprs, r, Op::Cast));
    }
    c.set(0, to, c.shape(0) == nullptr ? std::nullopt : std::optional<Shape>(*c.shape(0)),
          std::move(content));
  }
}

// The square root of a product of two sizes, which models take of the places of a square picture:
// either of them, where they are equal.
std::optional<Ratio> square_root(NodeInfer& c, const Ratio& r) {
  ExprPool& p = c.exprs;
  if (r.denominator != 1 || r.divisor || p.kind(r.numerator) != ExprKind::mul) return std::nullopt;
  const Expr a = p.operands(r.numerator)[0], b = p.operands(r.numerator)[1];
  if (p.lower(a) < 0 || p.lower(b) < 0) return std::nullopt;
  const auto square = c.require(
      p.equal(a, b), fmt::format("it takes the square root of {}; {} and {} must be equal",
                                 p.text(r.numerator), p.text(a), p.text(b)));
  return square ? std::optional(Ratio{p.value(b) ? b : a, 1}) : std::nullopt;
}

void infer_square_roots(NodeInfer& c) {
  const Ratios* from = c.ratios(0);
  if (from == nullptr) return;
  Ratios result;
  for (const Ratio& r : *from) {
    const auto root = square_root(c, r);
    if (!root) return;
    result.push_back(*root);
  }
  c.set_ratios(0, std::move(result));
}

// Whether input 1 is 0.5, for all elements.
bool is_half(NodeInfer& c) {
  const auto exponent = operand(c, 1);
  return exponent && exponent->size() == 1 && exponent->front().denominator == 2 &&
         c.exprs.is(exponent->front().numerator, 1);
}

// The number of elements of a Range of floats between which no rounding occurs.
void infer_float_range(NodeInfer& c) {
  Expr numerators[3];
  for (std::size_t i = 0; i < 3; ++i) {
    const auto given = operand(c, i);
    if (!given || given->size() != 1 || !is_dyadic(given->front())) return;
    const Ratio& r = given->front();
    numerators[i] = c.exprs.mul(r.numerator, c.exprs.constant(kMaxDenominator / r.denominator));
  }
  const auto [start, limit, delta] = numerators;
  if (!c.exprs.value(delta) || c.exprs.is(delta, 0)) return;
  const Expr count = c.exprs.ceil_div(c.exprs.sub(limit, start), delta);
  c.set(0, c.in(0).dtype, Shape{c.exprs.max(count, c.zero())});
}

}  // namespace

void infer_ratios(NodeInfer& c) {
  if (c.node.op == Op::Cast) return infer_cast_ratios(c);
  // Shapes of more than one axis do not occur, and binary() counts on it.
  for (std::size_t i = 0; i < c.node.inputs.size(); ++i) {
    if (c.shape(i) == nullptr || c.shape(i)->size() > 1) return;
  }
  switch (c.node.op) {
    case Op::Add:
    case Op::Sub:
    case Op::Mul:
    case Op::Div:
      c.set_ratios(0, binary(c));
      return;
    case Op::Floor:
    case Op::Ceil:
      if (const Ratios* from = c.ratios(0)) {
        Ratios result;
        for (const Ratio& r : *from) {
          if (r.divisor) return;
          result.push_back({rounded(c.exprs, r, c.node.op), 1});
        }
        c.set_ratios(0, std::move(result));
      }
      return;
    case Op::Pow:
      if (is_half(c)) infer_square_roots(c);
      return;
    case Op::Sqrt:
      infer_square_roots(c);
      return;
    case Op::Range:
      if (c.in(0).dtype == DType::float32) infer_float_range(c);
      return;
    case Op::Concat: {
      Ratios result;
      for (std::size_t i = 0; i < c.node.inputs.size(); ++i) {
        const auto part = operand(c, i);
        if (!part || result.size() + part->size() > static_cast<std::size_t>(kMaxContent)) return;
        result.insert(result.end(), part->begin(), part->end());
      }
      c.set_ratios(0, std::move(result));
      return;
    }
    default:
      if (const Ratios* from = keeps_order(c.node.op) ? c.ratios(0) : nullptr)
        c.set_ratios(0, *from);
      return;
  }
}

}  // namespace subbyte
