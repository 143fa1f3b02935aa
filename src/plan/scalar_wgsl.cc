#include "plan/scalar_wgsl.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "graph/narrow_float.h"
#include "graph/node_form.h"
#include "graph/ops.h"

namespace subbyte {

namespace {

std::string boolean(const std::string& condition) {
  return fmt::format("select(0u, 1u, {})", condition);
}

// Integers narrower than 32 bits wrap at their own width.
Typed narrowed(Typed value, DType dtype) {
  switch (dtype) {
    case DType::uint8:
      return {fmt::format("({}) & 0xffu", value.text), value.type};
    case DType::uint16:
      return {fmt::format("({}) & 0xffffu", value.text), value.type};
    case DType::uint4:
      return {fmt::format("({}) & 0xfu", value.text), value.type};
    case DType::uint2:
      return {fmt::format("({}) & 3u", value.text), value.type};
    case DType::int4:
      return {fmt::format("(({}) << 28u) >> 28u", value.text), value.type};
    case DType::int2:
      return {fmt::format("(({}) << 30u) >> 30u", value.text), value.type};
    case DType::int8:
      return {fmt::format("(({}) << 24u) >> 24u", value.text), value.type};
    case DType::int16:
      return {fmt::format("(({}) << 16u) >> 16u", value.text), value.type};
    default:
      return value;
  }
}

// Expressions of one float argument, in which {0} stands for it.
const char* float_unary(Op op) {
  switch (op) {
    case Op::Acos:
      return "acos_f32({0})";
    case Op::Acosh:
      return "acosh_f32({0})";
    case Op::Asin:
      return "asin_f32({0})";
    case Op::Asinh:
      return "asinh_f32({0})";
    case Op::Atan:
      return "atan_f32({0})";
    case Op::Atanh:
      return "atanh_f32({0})";
    case Op::Ceil:
      return "ceil({0})";
    case Op::Cos:
      return "cos_f32({0})";
    case Op::Cosh:
      return "cosh_f32({0})";
    case Op::Erf:
      return "erf_f32({0})";
    case Op::Exp:
      return "exp_f32({0})";
    case Op::Floor:
      return "floor({0})";
    case Op::HardSwish:
      return "{0} * clamp({0} / 6.0f + 0.5f, 0.0f, 1.0f)";
    case Op::Log:
      return "log_f32({0})";
    case Op::Mish:
      return "{0} * tanh_f32(softplus_f32({0}))";
    case Op::Reciprocal:
      return "1.0f / {0}";
    case Op::Round:
      return "round({0})";
    case Op::Sigmoid:
      return "sigmoid_f32({0})";
    case Op::Sin:
      return "sin_f32({0})";
    case Op::Sinh:
      return "sinh_f32({0})";
    case Op::Softplus:
      return "softplus_f32({0})";
    case Op::Softsign:
      return "{0} / (1.0f + abs({0}))";
    case Op::Sqrt:
      return "sqrt({0})";
    case Op::Tan:
      return "tan_f32({0})";
    case Op::Tanh:
      return "tanh_f32({0})";
    default:
      return nullptr;
  }
}

std::string attribute(const Node& node, const char* name, float otherwise,
                      const NumberText& opaque) {
  const float value = node.float_or(name, otherwise);
  return std::isnormal(value) ? f32_literal(value) : opaque(value);
}

// Float operators with attributes.
std::optional<std::string> float_with_attributes(const Node& node, const std::string& x,
                                                 const NumberText& opaque) {
  const auto number = [&](const char* name, float otherwise) {
    return attribute(node, name, otherwise, opaque);
  };
  switch (node.op) {
    case Op::Celu:
      return fmt::format("select({1} * expm1_f32({0} / {1}), {0}, {0} >= 0.0f)", x,
                         number("alpha", 1));
    case Op::Elu:
      return fmt::format("select({1} * expm1_f32({0}), {0}, {0} >= 0.0f)", x, number("alpha", 1));
    case Op::Gelu:
      return fmt::format(
          "{}({})", node.string_or("approximate", "none") == "tanh" ? "gelu_tanh_f32" : "gelu_f32",
          x);
    case Op::HardSigmoid:
      return fmt::format("clamp_unit_f32({1} * {0} + {2})", x, number("alpha", 0.2f),
                         number("beta", 0.5f));
    case Op::LeakyRelu:
      return fmt::format("select({1} * {0}, {0}, {0} >= 0.0f)", x, number("alpha", 0.01f));
    case Op::Selu:
      return fmt::format("{2} * select({1} * expm1_f32({0}), {0}, {0} > 0.0f)", x,
                         number("alpha", 1.67326319217681884765625f),
                         number("gamma", 1.05070102214813232421875f));
    case Op::ThresholdedRelu:
      return fmt::format("select(0.0f, {0}, {0} > {1})", x, number("alpha", 1));
    default:
      return std::nullopt;
  }
}

std::optional<Typed> unary(const Node& node, const Typed& x, const NumberText& opaque) {
  const bool f = x.type == GpuType::f32;
  if (f) {
    if (const char* pattern = float_unary(node.op)) {
      return Typed{fmt::format(fmt::runtime(pattern), x.text), x.type};
    }
    if (auto text = float_with_attributes(node, x.text, opaque)) return Typed{*text, x.type};
  }
  switch (node.op) {
    case Op::Abs:
      return x.type == GpuType::u32 ? x : Typed{fmt::format("abs({})", x.text), x.type};
    case Op::Neg:
      return Typed{fmt::format("-({})", x.text), x.type};
    case Op::Not:
      return Typed{fmt::format("1u - {}", x.text), GpuType::u32};
    case Op::Relu:
      return x.type == GpuType::f32
                 ? Typed{fmt::format("maximum_f32({}, 0.0f)", x.text), x.type}
                 : Typed{fmt::format("max({}, {})", x.text, x.type == GpuType::i32 ? "0i" : "0u"),
                         x.type};
    case Op::BitwiseNot:
      return Typed{fmt::format("~({})", x.text), x.type};
    case Op::Sign:
      if (x.type == GpuType::u32) return Typed{fmt::format("min({}, 1u)", x.text), x.type};
      return Typed{fmt::format("{}({})", x.type == GpuType::f32 ? "sign_f32" : "sign", x.text),
                   x.type};
    case Op::IsNaN:
      return Typed{boolean(fmt::format("is_nan({})", x.text)), GpuType::u32};
    case Op::IsInf: {
      const bool negative = node.int_or("detect_negative", 1) != 0;
      const bool positive = node.int_or("detect_positive", 1) != 0;
      return Typed{
          boolean(fmt::format("is_infinite({0}) && (({0} < 0.0f && {1}) || ({0} > 0.0f && {2}))",
                              x.text, negative, positive)),
          GpuType::u32};
    }
    default:
      return std::nullopt;
  }
}

std::optional<std::string> comparison(Op op) {
  switch (op) {
    case Op::Equal:
      return "==";
    case Op::Greater:
      return ">";
    case Op::GreaterOrEqual:
      return ">=";
    case Op::Less:
      return "<";
    case Op::LessOrEqual:
      return "<=";
    case Op::Xor:
      return "!=";
    default:
      return std::nullopt;
  }
}

// Modulo 2^32, where a power of an i32 and that of its bits are the same but for negative
// exponents.
Typed integer_power(const Typed& base, const Typed& exponent) {
  if (exponent.type == GpuType::i32) {
    const Typed whole = base.type == GpuType::i32
                            ? base
                            : Typed{fmt::format("bitcast<i32>({})", base.text), GpuType::i32};
    const std::string power = fmt::format("pow_i32({}, {})", whole.text, exponent.text);
    return base.type == GpuType::i32 ? Typed{power, base.type}
                                     : Typed{fmt::format("bitcast<u32>({})", power), base.type};
  }
  return {
      fmt::format("{0}(pow_u32(u32({1}), {2}))", wgsl_name(base.type), base.text, exponent.text),
      base.type};
}

// By 32 bits or more nothing is left, of a negative number the sign.
Typed shifted(const Node& node, const Typed& a, const Typed& b) {
  const bool left = node.string_or("direction", "") == "LEFT";
  const std::string bits = fmt::format("u32({})", b.text);
  const std::string shift = fmt::format("({}) {} min({}, 31u)", a.text, left ? "<<" : ">>", bits);
  if (!left && a.type == GpuType::i32) return {shift, a.type};
  return {fmt::format("select({0}(0), {1}, {2} < 32u)", wgsl_name(a.type), shift, bits), a.type};
}

std::optional<Typed> binary(const Node& node, const ScalarArgument& first,
                            const ScalarArgument& second) {
  const Typed &a = first.typed, &b = second.typed;
  const auto infix = [&](const char* op) {
    return Typed{fmt::format("{} {} {}", a.text, op, b.text), a.type};
  };
  if (const auto op = comparison(node.op)) {
    return Typed{boolean(fmt::format("{} {} {}", a.text, *op, b.text)), GpuType::u32};
  }
  switch (node.op) {
    case Op::Add:
      return infix("+");
    case Op::Sub:
      return infix("-");
    case Op::Mul:
      return infix("*");
    case Op::Div:
      if (rounds_quotient(node))
        return Typed{fmt::format("resample_quotient({}, {})", a.text, b.text), a.type};
      return infix("/");
    case Op::And:
    case Op::BitwiseAnd:
      return infix("&");
    case Op::Or:
    case Op::BitwiseOr:
      return infix("|");
    case Op::BitwiseXor:
      return infix("^");
    case Op::BitShift:
      return shifted(node, a, b);
    case Op::Mod:
      if (a.type == GpuType::f32) {
        return Typed{fmt::format("{}({}, {})", node.int_or("fmod", 0) != 0 ? "fmod_f32" : "mod_f32",
                                 a.text, b.text),
                     a.type};
      }
      if (a.type == GpuType::u32) return infix("%");
      return Typed{fmt::format("{}({}, {})", node.int_or("fmod", 0) != 0 ? "fmod_i32" : "mod_i32",
                               a.text, b.text),
                   a.type};
    case Op::Pow: {
      if (a.type != GpuType::f32 && b.type != GpuType::f32) return integer_power(a, b);
      const Typed exponent = convert(b, second.dtype, DType::float32);
      if (a.type == GpuType::f32)
        return Typed{fmt::format("pow_f32({}, {})", a.text, exponent.text), a.type};
      const Typed base = convert(a, first.dtype, DType::float32);
      return convert(Typed{fmt::format("pow_f32({}, {})", base.text, exponent.text), GpuType::f32},
                     DType::float32, first.dtype);
    }
    case Op::PRelu:
      return Typed{fmt::format("select({1} * {0}, {0}, {0} >= 0.0f)", a.text, b.text), a.type};
    default:
      return std::nullopt;
  }
}

Expected<Typed> several(const Node& node, const std::vector<ScalarArgument>& arguments) {
  Typed result = arguments.front().typed;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string& next = arguments[i].typed.text;
    if (node.op == Op::Max || node.op == Op::Min) {
      result.text = extreme(node.op == Op::Max, result.type, result.text, next);
    } else {
      result.text = fmt::format("({} + {})", result.text, next);
    }
  }
  if (node.op == Op::Mean) result.text = fmt::format("{} / {}.0f", result.text, arguments.size());
  return result;
}

// The largest finite value of a float dtype as it is held on the GPU.
std::string largest_literal(DType dtype) {
  return f32_literal(dtype == DType::float16    ? 65504.0f
                     : dtype == DType::bfloat16 ? 0x1.fep127f
                                                : std::numeric_limits<float>::max());
}

// As ONNX says min(max(x, low), high): high wins where low is above it. A bound of floats that is
// absent is the largest finite value, so that infinities are bounded too.
Typed clip(std::span<const std::optional<ScalarArgument>> arguments) {
  Typed x = arguments[0]->typed;
  const bool f = x.type == GpuType::f32;
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    std::string bound;
    if (i < arguments.size() && arguments[i]) {
      bound = arguments[i]->typed.text;
    } else if (f) {
      const std::string largest = largest_literal(arguments[0]->dtype);
      bound = i == 1 ? fmt::format("(-{})", largest) : largest;
    } else {
      continue;
    }
    const char* name = i == 1 ? (f ? "at_least_f32" : "max") : (f ? "at_most_f32" : "min");
    x.text = fmt::format("{}({}, {})", name, x.text, bound);
  }
  return x;
}

}  // namespace

std::string extreme(bool maximum, GpuType type, const std::string& a, const std::string& b) {
  const std::string name = maximum ? "max" : "min";
  return type == GpuType::f32 ? fmt::format("{}imum_f32({}, {})", name, a, b)
                              : fmt::format("{}({}, {})", name, a, b);
}

Typed convert(const Typed& value, DType from, DType to) {
  const GpuType type = gpu_type(to).value_or(GpuType::f32);
  if (to == DType::boolean) {
    // By bits: NaN is not 0 either.
    if (value.type == GpuType::f32) {
      return {boolean(fmt::format("(bitcast<u32>({}) << 1u) != 0u", value.text)), GpuType::u32};
    }
    return {boolean(fmt::format("{} != {}", value.text, value.type == GpuType::i32 ? "0i" : "0u")),
            GpuType::u32};
  }
  if (to != from && (to == DType::float16 || to == DType::bfloat16)) {
    const Typed number = convert(value, from, DType::float32);
    return {fmt::format("{}({})", to == DType::float16 ? "round_to_half" : "round_to_bfloat16",
                        number.text),
            GpuType::f32};
  }
  if (value.type == type) return is_integer(to) ? narrowed(value, to) : value;
  if (value.type == GpuType::f32 && type == GpuType::u32) {
    // WGSL converts f32 to integers with truncation and saturation; what is negative wraps.
    const bool wide = to == DType::uint32 || to == DType::uint64;
    const std::string whole = fmt::format("{}({})", wide ? "u32_of_f32" : "i32", value.text);
    return narrowed({wide ? whole : fmt::format("u32({})", whole), type}, to);
  }
  return narrowed({fmt::format("{}({})", wgsl_name(type), value.text), type}, to);
}

namespace {

// What only a Cast gives: floats of 8 bits and fewer, and whole numbers of fewer, to which a float
// is rounded and not cut off.
Typed cast_wgsl(const Node& node, const ScalarArgument& from, DType to) {
  const NarrowFloat* type = narrow_float(to);
  if (type != nullptr && from.dtype != to) {
    const bool saturates = node.int_or("saturate", 1) != 0 || !type->has_nan;
    const std::string_view beyond = saturates            ? "0x7f7fffffu"
                                    : type->has_infinity ? "0x7f800000u"
                                                         : "0x7fc00000u";
    const std::string rounded = fmt::format(
        "round_to_narrow({}, {}, {}, {}, {})", convert(from.typed, from.dtype, DType::float32).text,
        type->least_exponent(), type->mantissa_bits, f32_literal(type->largest), beyond);
    if (!type->has_nan) return {fmt::format("nan_to_zero({})", rounded), GpuType::f32};
    // Where there is no negative 0, a positive one is added.
    return {type->has_negative_0 ? rounded : fmt::format("positive_zero({})", rounded),
            GpuType::f32};
  }
  const int bits = integer_bits(to);
  if (bits > 0 && bits < 8 && from.typed.type == GpuType::f32)
    return convert({fmt::format("round_away({})", from.typed.text), GpuType::f32}, from.dtype, to);
  return convert(from.typed, from.dtype, to);
}

// The bits of an element, as many as its dtype has, and the element that such bits are.
std::string bits_of(const Typed& value, DType dtype) {
  if (dtype == DType::float16) return fmt::format("pack2x16float(vec2({}, 0.0f))", value.text);
  if (value.type == GpuType::u32) return value.text;
  const std::string word = fmt::format("bitcast<u32>({})", value.text);
  return dtype == DType::bfloat16 ? fmt::format("({} >> 16u)", word) : word;
}

Typed element_of_bits(const std::string& bits, DType dtype) {
  if (dtype == DType::float16)
    return {fmt::format("unpack2x16float({} & 0xffffu).x", bits), GpuType::f32};
  if (dtype == DType::bfloat16) return {fmt::format("bitcast<f32>({} << 16u)", bits), GpuType::f32};
  if (dtype == DType::float32) return {fmt::format("bitcast<f32>({})", bits), GpuType::f32};
  return convert({bits, GpuType::u32}, DType::uint32, dtype);
}

}  // namespace

namespace {

// What multiplies, divides or is divided.
bool is_factor(Op op) { return op == Op::Mul || op == Op::Div || op == Op::Mod || op == Op::PRelu; }

}  // namespace

Expected<Typed> scalar_wgsl(const Node& node,
                            std::span<const std::optional<ScalarArgument>> arguments, DType result,
                            const NumberText& opaque) {
  if (node.op == Op::Clip) return clip(arguments);
  std::vector<ScalarArgument> present;
  for (const auto& argument : arguments) {
    if (!argument) continue;
    present.push_back(*argument);
    std::string& text = present.back().typed.text;
    if (is_factor(node.op) && text == f32_literal(0)) text = opaque(0);
  }
  if (present.empty()) return fail("the operator needs an input");
  if (node.op == Op::Cast) return cast_wgsl(node, present[0], result);
  if (node.op == Op::BitCast)
    return element_of_bits(bits_of(present[0].typed, present[0].dtype), result);
  if (node.op == Op::Where) {
    return Typed{fmt::format("select({}, {}, {} != 0u)", present[2].typed.text,
                             present[1].typed.text, present[0].typed.text),
                 present[1].typed.type};
  }
  if (op_info(node.op).inputs_max == kMany) return several(node, present);
  std::optional<Typed> typed;
  if (present.size() == 1) typed = unary(node, present[0].typed, opaque);
  if (present.size() == 2) typed = binary(node, present[0], present[1]);
  if (!typed) return fail("the operator has no form for a {}", dtype_name(present[0].dtype));
  return narrowed(*typed, result);
}

}  // namespace subbyte
