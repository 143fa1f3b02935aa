// Activations, alone and with the bias that optimizers put into them.
#include <cmath>
#include <numbers>

#include "graph/dtype.h"
#include "graph/narrow_float.h"
#include "graph/ops.h"
#include "passes/spell/spell.h"

namespace subbyte {

ValueId swish(Speller& s, ValueId x, double alpha) {
  const ValueId slope =
      alpha == 1 ? x : s.add(Op::Mul, "sloped", {x, s.number("alpha", s.value(x).dtype, alpha)});
  return s.add(Op::Mul, "swish", {x, s.add(Op::Sigmoid, "gate", {slope})});
}

// fuse_gelu makes one operator of it again.
ValueId erf_gelu(Speller& s, ValueId x) {
  const DType dtype = s.value(x).dtype;
  const ValueId root = s.number("root", dtype, std::numbers::sqrt2);
  const ValueId gate = s.add(Op::Erf, "erf", {s.add(Op::Div, "divided", {x, root})});
  const ValueId open = s.add(Op::Add, "open", {gate, s.number("one", dtype, 1)});
  const ValueId gated = s.add(Op::Mul, "gated", {x, open});
  return s.add(Op::Mul, "gelu", {gated, s.number("half", dtype, 0.5)});
}

ValueId tanh_gelu(Speller& s, ValueId x) {
  const DType dtype = s.value(x).dtype;
  const ValueId cube = s.add(Op::Pow, "cube", {x, s.number("three", dtype, 3)});
  const ValueId third = s.add(Op::Mul, "third", {cube, s.number("inner", dtype, 0.044715)});
  const ValueId sum = s.add(Op::Add, "sum", {x, third});
  const ValueId outer = s.number("outer", dtype, std::sqrt(2 / std::numbers::pi));
  const ValueId gate = s.add(Op::Tanh, "tanh", {s.add(Op::Mul, "argument", {sum, outer})});
  const ValueId open = s.add(Op::Add, "open", {gate, s.number("one", dtype, 1)});
  const ValueId gated = s.add(Op::Mul, "gated", {x, open});
  return s.add(Op::Mul, "gelu", {gated, s.number("half", dtype, 0.5)});
}

namespace {

// The first input with a bias, where there is one.
ValueId biased(Speller& s) {
  return s.has(1) ? s.add(Op::Add, "biased", {s.input(0), s.input(1)}) : s.input(0);
}

}  // namespace

Expected<bool> spell_microsoft_gelu(Speller& s) {
  s.finish(0, erf_gelu(s, s.input(0)));
  return true;
}

Expected<bool> spell_bias_gelu(Speller& s) {
  s.finish(0, erf_gelu(s, biased(s)));
  return true;
}

Expected<bool> spell_fast_gelu(Speller& s) {
  s.finish(0, tanh_gelu(s, biased(s)));
  return true;
}

// The first half of the last axis times the Gelu of the second.
Expected<bool> spell_bias_split_gelu(Speller& s) {
  const auto rank = s.rank(s.input(1));
  if (!s.rank() || !rank) return false;
  if (*rank != 1) return fail("its bias has rank {}; it must be a vector", *rank);
  const auto width = s.known_size(s.input(1), 0);
  if (!width) return false;
  if (*width % 2 != 0) return fail("its bias has {} elements; their number must be even", *width);
  const Numbers halves{*width / 2, *width / 2};
  const auto last = static_cast<std::int64_t>(*s.rank()) - 1;
  const auto parts = s.split("part", biased(s), last, halves);
  s.finish(Op::Mul, {parts[0], erf_gelu(s, parts[1])});
  return true;
}

// QuickGelu of com.microsoft is the same with another default.
Expected<bool> spell_swish(Speller& s) {
  const float otherwise = s.node().op == Op::QuickGelu ? 1.702f : 1.0f;
  s.finish(0, swish(s, s.input(0), s.node().float_or("alpha", otherwise)));
  return true;
}

Expected<bool> spell_swiglu(Speller& s) {
  const ValueId gate = swish(s, s.input(0), s.node().float_or("alpha", 1.0f));
  s.finish(Op::Mul, {gate, s.input(1)});
  return true;
}

// x + bias below -lambd, x - bias above lambd, 0 between. Integers are computed as floats, and cut.
Expected<bool> spell_shrink(Speller& s) {
  const DType dtype = is_float(s.dtype()) ? s.dtype() : DType::float32;
  const double lambd = s.node().float_or("lambd", 0.5f), bias = s.node().float_or("bias", 0);
  const ValueId x = s.cast("x", s.input(0), dtype);
  const ValueId offset = s.number("bias", dtype, bias), zero = s.number("zero", dtype, 0);
  const ValueId low = s.add(Op::Less, "low", {x, s.number("least", dtype, -lambd)});
  const ValueId high = s.add(Op::Greater, "high", {x, s.number("most", dtype, lambd)});
  const ValueId below =
      s.add(Op::Where, "below", {low, s.add(Op::Add, "raised", {x, offset}), zero});
  const ValueId y =
      s.add(Op::Where, "shrunk", {high, s.add(Op::Sub, "lowered", {x, offset}), below});
  s.finish(0, s.cast("y", y, s.dtype()));
  return true;
}

Expected<bool> spell_cast_like(Speller& s) {
  const DType dtype = s.value(s.input(1)).dtype;
  if (dtype == DType::undefined) return false;
  if (!gpu_type(dtype) || dtype == DType::float8e8m0)
    return fail_as(ErrorKind::unsupported,
                   "it casts to {}; supported are floats but float8e8m0, integers and bool",
                   dtype_name(dtype));
  std::vector<Attribute> attributes{integer("to", static_cast<std::int64_t>(dtype))};
  for (const Attribute& attribute : s.node().attributes) attributes.push_back(attribute);
  s.finish(Op::Cast, {s.input(0)}, std::move(attributes));
  return true;
}

}  // namespace subbyte
