// Operators of two inputs that broadcast: arithmetic, comparisons, logic.
#include <functional>

#include "base/scalar_math.h"
#include "graph/ops.h"
#include "reference/call.h"

namespace subbyte::reference {
namespace {

// Mod of the current ONNX specification: with fmod the sign of a, else that of b.
double modulo(double a, double b, bool fmod) {
  const double remainder = std::fmod(a, b);
  if (fmod || std::isnan(remainder)) return remainder;
  if (remainder == 0) return std::copysign(0.0, b);
  return (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

double apply(Op op, double a, double b, bool fmod) {
  switch (op) {
    case Op::Add:
      return a + b;
    case Op::Div:
      return a / b;
    case Op::Mod:
      return modulo(a, b, fmod);
    case Op::Mul:
      return a * b;
    case Op::Pow:
      return pow_of(a, b);
    case Op::PRelu:
      return a < 0 ? a * b : a;
    case Op::Sub:
      return a - b;
    default:
      return std::numeric_limits<double>::quiet_NaN();  // no other row has this family
  }
}

// Truncates; the smallest integer divided by -1 wraps around to itself. b is not 0.
template <typename T>
T divide(T a, T b) {
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return wrapping_sub<T>(0, a);
  }
  return static_cast<T>(a / b);
}

template <typename T>
T remainder_of(T a, T b, bool fmod) {
  const T remainder = wrapping_sub(a, wrapping_mul(divide(a, b), b));
  if (!fmod && remainder != 0 && (remainder < 0) != (b < 0)) return wrapping_add(remainder, b);
  return remainder;
}

// By squaring, modulo 2^bits. A negative exponent leaves the integer part of the quotient: 0 but
// for the bases 1 and -1. Base 0 with a negative exponent is the caller's error.
template <typename T, typename E>
T power(T base, E exponent) {
  if (exponent < E{0}) {
    if (base == T{1}) return 1;
    if constexpr (std::is_signed_v<T>) {
      if (base == -1) return static_cast<T>(exponent % 2 == 0 ? 1 : -1);
    }
    return 0;
  }
  T result = 1;
  for (auto left = static_cast<std::uint64_t>(exponent); left != 0; left >>= 1) {
    if ((left & 1) != 0) result = wrapping_mul(result, base);
    base = wrapping_mul(base, base);
  }
  return result;
}

template <typename T>
T apply_to_integers(Op op, T a, T b, bool fmod) {
  switch (op) {
    case Op::Add:
      return wrapping_add(a, b);
    case Op::Div:
      return divide(a, b);
    case Op::Mod:
      return remainder_of(a, b, fmod);
    case Op::Mul:
      return wrapping_mul(a, b);
    case Op::PRelu:
      return a < T{0} ? wrapping_mul(a, b) : a;
    case Op::Sub:
      return wrapping_sub(a, b);
    default:
      return 0;
  }
}

template <typename C>
bool compare(Op op, C a, C b) {
  switch (op) {
    case Op::Equal:
      return a == b;
    case Op::Greater:
      return a > b;
    case Op::GreaterOrEqual:
      return a >= b;
    case Op::Less:
      return a < b;
    case Op::LessOrEqual:
      return a <= b;
    case Op::And:
      return a && b;
    case Op::Or:
      return a || b;
    default:
      return static_cast<bool>(a) != static_cast<bool>(b);  // Xor
  }
}

bool gives_bool(Op op) {
  return op == Op::Equal || op == Op::Greater || op == Op::GreaterOrEqual || op == Op::Less ||
         op == Op::LessOrEqual || op == Op::And || op == Op::Or || op == Op::Xor;
}

bool is_logic(Op op) { return op == Op::And || op == Op::Or || op == Op::Xor; }

Result to_bool(const Call& call, const Tensor& a, const Tensor& b) {
  const Op op = call.node.op;
  SUBBYTE_TRY(auto bytes, allocate(call, DType::boolean, a.dims));
  const auto run = [&]<typename T>(T) {
    for (std::int64_t i = 0; i < a.elements(); ++i)
      elements_of<Bool>(bytes)[i] =
          narrow<Bool>(compare(op, widen(element<T>(a, i)), widen(element<T>(b, i))));
  };
  bool known = false;
  if (a.dtype == DType::boolean) {
    known = is_logic(op) || op == Op::Equal;
    if (known) run(Bool{});
  } else {
    known = !is_logic(op) && with_numbers(a.dtype, run);
  }
  if (!known) return wrong_dtype(call, a.dtype);
  return one(make_tensor(DType::boolean, a.dims, std::move(bytes)));
}

// The exponent may have another dtype than the base, which the result has.
Result powers(const Call& call, const Tensor& a, const Tensor& b) {
  SUBBYTE_TRY(auto bytes, allocate(call, a.dtype, a.dims));
  bool zero_to_negative = false;
  const auto run = [&]<typename T, typename E>(T, E) {
    for (std::int64_t i = 0; i < a.elements(); ++i) {
      const auto base = widen(element<T>(a, i));
      const auto exponent = widen(element<E>(b, i));
      if constexpr (is_float_element<T>) {
        elements_of<T>(bytes)[i] = narrow<T>(pow_of(base, static_cast<double>(exponent)));
      } else if constexpr (is_float_element<E>) {
        elements_of<T>(bytes)[i] = saturate<T>(pow_of(static_cast<double>(base), exponent));
      } else {
        zero_to_negative |= base == T{0} && exponent < E{0};
        elements_of<T>(bytes)[i] = power(base, exponent);
      }
    }
  };
  bool known_exponent = false;
  const bool known_base = with_numbers(a.dtype, [&]<typename T>(T t) {
    known_exponent = with_numbers(b.dtype, [&]<typename E>(E e) { run(t, e); });
  });
  if (!known_base || !known_exponent) return wrong_dtype(call, known_base ? b.dtype : a.dtype);
  if (zero_to_negative)
    return fail("{}: 0 to a negative power has no integer value", call.node.op_type);
  return one(make_tensor(a.dtype, a.dims, std::move(bytes)));
}

Expected<void> check_division(const Call& call, const Tensor& b) {
  bool zero = false;
  with_integers(b.dtype, [&]<typename T>(T) {
    for (std::int64_t i = 0; i < b.elements(); ++i) zero |= element<T>(b, i) == T{0};
  });
  if (zero) return fail("{}: an integer is divided by zero", call.node.op_type);
  return {};
}

}  // namespace

Result reference_binary(const Call& call) {
  const Op op = call.node.op;
  if (op != Op::Pow && call.input(0).dtype != call.input(1).dtype)
    return fail("{}: the inputs are {} and {}; they must have one dtype", call.node.op_type,
                dtype_name(call.input(0).dtype), dtype_name(call.input(1).dtype));
  // The slope of PRelu broadcasts to the input and not the other way.
  Dims dims = call.input(0).dims;
  if (op != Op::PRelu) {
    SUBBYTE_TRY(dims, broadcast_dims(call, call.input(0).dims, call.input(1).dims));
  }
  SUBBYTE_TRY(const Tensor a, broadcast_to(call, call.input(0), dims));
  SUBBYTE_TRY(const Tensor b, broadcast_to(call, call.input(1), dims));
  if (gives_bool(op)) return to_bool(call, a, b);
  if (op == Op::Pow) return powers(call, a, b);

  const bool fmod = call.node.int_or("fmod", 0) != 0;
  if (op == Op::Div || op == Op::Mod) SUBBYTE_CHECK_OK(check_division(call, b));
  SUBBYTE_TRY(auto bytes, allocate(call, a.dtype, dims));
  const bool known = with_numbers(a.dtype, [&]<typename T>(T) {
    for (std::int64_t i = 0; i < a.elements(); ++i) {
      const auto x = widen(element<T>(a, i));
      const auto y = widen(element<T>(b, i));
      if constexpr (is_float_element<T>) {
        elements_of<T>(bytes)[i] = narrow<T>(apply(op, x, y, fmod));
      } else {
        elements_of<T>(bytes)[i] = apply_to_integers(op, x, y, fmod);
      }
    }
  });
  if (!known) return wrong_dtype(call, a.dtype);
  return one(make_tensor(a.dtype, std::move(dims), std::move(bytes)));
}

}  // namespace subbyte::reference
