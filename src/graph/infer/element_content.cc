// The elements of small integer tensors as they pass through element-wise operators.
#include <algorithm>

#include "graph/infer/node_infer.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

Expr logical_not(ExprPool& p, Expr e) { return p.equal(e, p.constant(0)); }
Expr truth(ExprPool& p, Expr e) { return logical_not(p, logical_not(p, e)); }
Expr negate(ExprPool& p, Expr e) { return p.sub(p.constant(0), e); }
Expr absolute(ExprPool& p, Expr e) { return p.max(e, negate(p, e)); }

// Sums and products of sizes do not leave their type; constants may, and wrap there as no
// expression does.
std::optional<Expr> arithmetic(ExprPool& p, Op op, Expr a, Expr b, DType dtype) {
  if (dtype != DType::int32 && dtype != DType::int64) return std::nullopt;
  const auto x = p.value(a), y = p.value(b);
  if (x && y) {
    std::int64_t result = 0;
    const bool leaves = op == Op::Add   ? __builtin_add_overflow(*x, *y, &result)
                        : op == Op::Sub ? __builtin_sub_overflow(*x, *y, &result)
                                        : __builtin_mul_overflow(*x, *y, &result);
    if (leaves || (dtype == DType::int32 && result != static_cast<std::int32_t>(result))) {
      return std::nullopt;
    }
    return p.constant(result);
  }
  return op == Op::Add ? p.add(a, b) : op == Op::Sub ? p.sub(a, b) : p.mul(a, b);
}

// ONNX divides integers as C does, rounding to zero.
std::optional<Expr> divide(ExprPool& p, Expr a, Expr b) {
  if (p.is(b, 0)) return std::nullopt;
  if (p.lower(a) >= 0 && p.lower(b) >= 0) return p.floor_div(a, b);
  const Expr magnitude = p.floor_div(absolute(p, a), absolute(p, b));
  const Expr zero = p.constant(0);
  const Expr same_sign = p.equal(p.less(a, zero), p.less(b, zero));
  return p.select(same_sign, magnitude, negate(p, magnitude));
}

std::optional<Expr> modulo(ExprPool& p, Expr a, Expr b, bool sign_of_dividend) {
  if (p.is(b, 0)) return std::nullopt;
  if (!sign_of_dividend || (p.lower(a) >= 0 && p.lower(b) >= 0)) return p.mod(a, b);
  const Expr magnitude = p.mod(absolute(p, a), absolute(p, b));
  return p.select(p.less(a, p.constant(0)), negate(p, magnitude), magnitude);
}

std::optional<Expr> power(ExprPool& p, Expr base, Expr exponent, DType dtype) {
  const auto n = p.value(exponent);
  if (!n || *n < 0 || *n > 8) return std::nullopt;
  std::optional<Expr> result = p.constant(1);
  for (std::int64_t i = 0; i < *n && result; ++i)
    result = arithmetic(p, Op::Mul, *result, base, dtype);
  return result;
}

// Between integer types and bool, where the value is the same in the new type.
std::optional<Expr> cast(ExprPool& p, Expr e, DType to) {
  switch (to) {
    case DType::boolean:
      return truth(p, e);
    case DType::int64:
      return e;
    case DType::int32:
      // A size that does not fit is not one that a GPU could hold; a constant that does not fit
      // wraps.
      if (const auto v = p.value(e)) return p.constant(static_cast<std::int32_t>(*v));
      return e;
    case DType::uint8:
      return p.lower(e) >= 0 && p.upper(e) <= UINT8_MAX ? std::optional(e) : std::nullopt;
    case DType::int8:
      return p.lower(e) >= INT8_MIN && p.upper(e) <= INT8_MAX ? std::optional(e) : std::nullopt;
    case DType::uint16:
      return p.lower(e) >= 0 && p.upper(e) <= UINT16_MAX ? std::optional(e) : std::nullopt;
    case DType::int16:
      return p.lower(e) >= INT16_MIN && p.upper(e) <= INT16_MAX ? std::optional(e) : std::nullopt;
    case DType::uint32:
    case DType::uint64:
      return p.lower(e) >= 0 && p.value(e).value_or(0) <= UINT32_MAX ? std::optional(e)
                                                                     : std::nullopt;
    default:
      return std::nullopt;
  }
}

// One element of the output from the elements of the inputs that it reads.
std::optional<Expr> element(NodeInfer& c, std::span<const Expr> in, DType out) {
  ExprPool& p = c.exprs;
  const Expr zero = p.constant(0), one = p.constant(1);
  switch (c.node.op) {
    case Op::Identity:
    case Op::Ceil:
    case Op::Floor:
    case Op::Round:
      return in[0];
    case Op::Abs:
      return absolute(p, in[0]);
    case Op::Neg:
      return arithmetic(p, Op::Sub, zero, in[0], out);
    case Op::Sign:
      return p.sub(p.less(zero, in[0]), p.less(in[0], zero));
    case Op::Relu:
      return p.max(in[0], zero);
    case Op::Not:
      return logical_not(p, in[0]);
    case Op::Cast:
      return cast(p, in[0], out);
    case Op::Add:
    case Op::Sub:
    case Op::Mul:
      return arithmetic(p, c.node.op, in[0], in[1], out);
    case Op::Pow:
      return power(p, in[0], in[1], out);
    case Op::Div:
      return divide(p, in[0], in[1]);
    case Op::Mod:
      return modulo(p, in[0], in[1], c.node.int_or("fmod", 0) != 0);
    case Op::And:
      return p.min(in[0], in[1]);
    case Op::Or:
      return p.max(in[0], in[1]);
    case Op::Xor:
      return logical_not(p, p.equal(in[0], in[1]));
    case Op::Equal:
      return p.equal(in[0], in[1]);
    case Op::Less:
      return p.less(in[0], in[1]);
    case Op::Greater:
      return p.less(in[1], in[0]);
    case Op::LessOrEqual:
      return p.less(in[0], p.add(in[1], one));
    case Op::GreaterOrEqual:
      return p.less(in[1], p.add(in[0], one));
    case Op::Where:
      return p.select(in[0], in[1], in[2]);
    case Op::Max:
    case Op::Min: {
      Expr result = in[0];
      for (const Expr e : in.subspan(1)) {
        result = c.node.op == Op::Max ? p.max(result, e) : p.min(result, e);
      }
      return result;
    }
    default:
      return std::nullopt;
  }
}

// Clip's limits are optional, so it does not fit element(). As in numpy, the upper one wins.
std::optional<Content> clip(NodeInfer& c) {
  Content result = *c.content(0);
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    if (!c.has(i)) continue;
    if (c.content(i) == nullptr || c.content(i)->size() != 1) return std::nullopt;
    const Expr limit = c.content(i)->front();
    for (Expr& e : result) e = i == 1 ? c.exprs.max(e, limit) : c.exprs.min(e, limit);
  }
  return result;
}

}  // namespace

std::optional<Content> element_content(NodeInfer& c, const Shape& shape) {
  if (c.content(0) == nullptr) return std::nullopt;
  if (c.node.op == Op::Clip) return clip(c);
  const auto dims = small_dims(c.exprs, shape);
  if (!dims) return std::nullopt;
  DType out = c.in(0).dtype;
  if (c.node.op == Op::Cast) out = static_cast<DType>(c.node.int_or("to", 0));
  std::vector<std::vector<std::int64_t>> strides;
  for (std::size_t i = 0; i < c.node.inputs.size(); ++i) {
    if (c.content(i) == nullptr) return std::nullopt;
    strides.push_back(broadcast_strides(*small_dims(c.exprs, *c.shape(i)), dims->size()));
  }
  Content result;
  bool known = true;
  std::vector<Expr> elements(c.node.inputs.size());
  for_each_element(*dims, [&](std::int64_t, const std::vector<std::int64_t>& at) {
    if (!known) return;
    for (std::size_t i = 0; i < elements.size(); ++i) {
      std::int64_t offset = 0;
      for (std::size_t axis = 0; axis < at.size(); ++axis) offset += at[axis] * strides[i][axis];
      elements[i] = (*c.content(i))[static_cast<std::size_t>(offset)];
    }
    const auto e = element(c, elements, out);
    known = e.has_value();
    if (e) result.push_back(*e);
  });
  return known ? std::optional(std::move(result)) : std::nullopt;
}

}  // namespace subbyte
