// Operators of one input, element by element.
#include "reference/unary.h"

#include <numbers>

#include "base/scalar_math.h"
#include "base/text.h"
#include "graph/ops.h"
#include "reference/call.h"

namespace subbyte::reference {
namespace {

double clamp_unit(double x) { return x < 0 ? 0 : x > 1 ? 1 : x; }

double sigmoid(double x) { return 1 / (1 + exp_of(-x)); }

// log(1 + e^x) without overflow for large x.
double softplus(double x) { return std::max(x, 0.0) + log1p_of(exp_of(-std::fabs(x))); }

double gelu(double x, bool tanh_approximation) {
  if (tanh_approximation) {
    const double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
    return 0.5 * x * (1 + tanh_of(inner));
  }
  return 0.5 * x * (1 + erf_of(x / std::numbers::sqrt2));
}

double apply(Op op, double x, const UnaryParameters& p) {
  switch (op) {
    case Op::Abs:
      return std::fabs(x);
    case Op::Acos:
      return acos_of(x);
    case Op::Acosh:
      return acosh_of(x);
    case Op::Asin:
      return asin_of(x);
    case Op::Asinh:
      return asinh_of(x);
    case Op::Atan:
      return atan_of(x);
    case Op::Atanh:
      return atanh_of(x);
    case Op::Ceil:
      return std::ceil(x);
    case Op::Celu:
      return x < 0 ? p.alpha * expm1_of(x / p.alpha) : x;
    case Op::Cos:
      return cos_of(x);
    case Op::Cosh:
      return cosh_of(x);
    case Op::Elu:
      return x < 0 ? p.alpha * expm1_of(x) : x;
    case Op::Erf:
      return erf_of(x);
    case Op::Exp:
      return exp_of(x);
    case Op::Floor:
      return std::floor(x);
    case Op::Gelu:
      return gelu(x, p.tanh_approximation);
    case Op::HardSigmoid:
      return clamp_unit(p.alpha * x + p.beta);
    case Op::HardSwish:
      return x * clamp_unit(x / 6 + 0.5);
    case Op::LeakyRelu:
      return x < 0 ? p.alpha * x : x;
    case Op::Log:
      return log_of(x);
    case Op::Mish:
      return x * tanh_of(softplus(x));
    case Op::Neg:
      return -x;
    case Op::Reciprocal:
      return 1 / x;
    case Op::Relu:
      return x < 0 ? 0 : x;
    case Op::Round:
      return std::nearbyint(x);  // half to even
    case Op::Selu:
      return p.gamma * (x > 0 ? x : p.alpha * expm1_of(x));
    case Op::Sigmoid:
      return sigmoid(x);
    case Op::Sign:
      return x > 0 ? 1 : x < 0 ? -1 : x;
    case Op::Sin:
      return sin_of(x);
    case Op::Sinh:
      return sinh_of(x);
    case Op::Softplus:
      return softplus(x);
    case Op::Softsign:
      return x / (1 + std::fabs(x));
    case Op::Sqrt:
      return std::sqrt(x);
    case Op::Tan:
      return tan_of(x);
    case Op::Tanh:
      return tanh_of(x);
    case Op::ThresholdedRelu:
      return x > p.alpha ? x : 0;
    default:
      return std::numeric_limits<double>::quiet_NaN();  // no other row has this family
  }
}

// Abs and Neg of the smallest integer wrap around to itself.
template <typename T>
T apply_to_integer(Op op, T x) {
  const T zero = 0;
  switch (op) {
    case Op::Abs:
      return x < zero ? wrapping_sub(zero, x) : x;
    case Op::Neg:
      return wrapping_sub(zero, x);
    case Op::Relu:
      return x < zero ? zero : x;
    case Op::Sign:
      return static_cast<T>(x > zero ? 1 : x < zero ? -1 : 0);
    default:
      return zero;
  }
}

bool takes_integers(Op op) {
  return op == Op::Abs || op == Op::Neg || op == Op::Relu || op == Op::Sign;
}

Result to_bool(const Call& call, const UnaryParameters& p) {
  const Tensor& input = call.input(0);
  SUBBYTE_TRY(auto bytes, allocate(call, DType::boolean, input.dims));
  const auto test = [&](double x) {
    if (call.node.op == Op::IsNaN) return std::isnan(x);
    return std::isinf(x) && (x > 0 ? p.positive : p.negative);
  };
  const bool known = with_floats(input.dtype, [&]<typename T>(T) {
    for (std::int64_t i = 0; i < input.elements(); ++i)
      elements_of<Bool>(bytes)[i] = narrow<Bool>(test(widen(element<T>(input, i))));
  });
  if (!known) return wrong_dtype(call, input.dtype);
  return one(make_tensor(DType::boolean, input.dims, std::move(bytes)));
}

}  // namespace

Expected<UnaryParameters> unary_parameters(const Node& node) {
  UnaryParameters p;
  switch (node.op) {
    case Op::Celu:
    case Op::Elu:
    case Op::ThresholdedRelu:
      p.alpha = node.float_or("alpha", 1.0f);
      break;
    case Op::LeakyRelu:
      p.alpha = node.float_or("alpha", 0.01f);
      break;
    case Op::HardSigmoid:
      p.alpha = node.float_or("alpha", 0.2f);
      p.beta = node.float_or("beta", 0.5f);
      break;
    case Op::Selu:
      p.alpha = node.float_or("alpha", 1.67326319217681884765625f);
      p.gamma = node.float_or("gamma", 1.05070102214813232421875f);
      break;
    case Op::Gelu: {
      const std::string_view approximate = node.string_or("approximate", "none");
      if (approximate != "none" && approximate != "tanh")
        return fail("Gelu: approximate is {}; it must be 'none' or 'tanh'", quoted(approximate));
      p.tanh_approximation = approximate == "tanh";
      break;
    }
    case Op::IsInf:
      p.positive = node.int_or("detect_positive", 1) != 0;
      p.negative = node.int_or("detect_negative", 1) != 0;
      break;
    default:
      break;
  }
  return p;
}

Result reference_unary(const Call& call) {
  const Op op = call.node.op;
  const Tensor& input = call.input(0);
  const std::int64_t count = input.elements();
  SUBBYTE_TRY(const UnaryParameters p, unary_parameters(call.node));
  if (op == Op::IsNaN || op == Op::IsInf) return to_bool(call, p);

  SUBBYTE_TRY(auto bytes, allocate(call, input.dtype, input.dims));
  bool known = false;
  if (op == Op::Not) {
    known = input.dtype == DType::boolean;
    for (std::int64_t i = 0; known && i < count; ++i)
      elements_of<Bool>(bytes)[i] = narrow<Bool>(!widen(element<Bool>(input, i)));
  } else {
    known = with_floats(input.dtype, [&]<typename T>(T) {
      for (std::int64_t i = 0; i < count; ++i)
        elements_of<T>(bytes)[i] = narrow<T>(apply(op, widen(element<T>(input, i)), p));
    });
    if (!known && takes_integers(op)) {
      known = with_integers(input.dtype, [&]<typename T>(T) {
        for (std::int64_t i = 0; i < count; ++i)
          elements_of<T>(bytes)[i] = apply_to_integer(op, element<T>(input, i));
      });
    }
  }
  if (!known) return wrong_dtype(call, input.dtype);
  return one(make_tensor(input.dtype, input.dims, std::move(bytes)));
}

}  // namespace subbyte::reference
