// Operators that go element by element, over whatever broadcasts.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/scalar_math.h"
#include "calibrate/elementwise_simd.h"
#include "calibrate/forms.h"
#include "calibrate/strided.h"
#include "graph/ops.h"
#include "reference/unary.h"

namespace subbyte::calibrate {
namespace {

using reference::UnaryParameters;

bool all_float32(const Call& call) {
  return std::ranges::all_of(
      call.inputs, [](const Tensor* input) { return input != nullptr && is_float32(*input); });
}

// What goes over lanes.
std::optional<Unary> unary_of(Op op) {
  switch (op) {
    case Op::Abs:
      return Unary::abs;
    case Op::Ceil:
      return Unary::ceil;
    case Op::Erf:
      return Unary::erf;
    case Op::Exp:
      return Unary::exp;
    case Op::Floor:
      return Unary::floor;
    case Op::Gelu:
      return Unary::gelu;
    case Op::HardSigmoid:
      return Unary::hard_sigmoid;
    case Op::HardSwish:
      return Unary::hard_swish;
    case Op::LeakyRelu:
      return Unary::leaky_relu;
    case Op::Neg:
      return Unary::neg;
    case Op::Reciprocal:
      return Unary::reciprocal;
    case Op::Relu:
      return Unary::relu;
    case Op::Round:
      return Unary::round;
    case Op::Sigmoid:
      return Unary::sigmoid;
    case Op::Softsign:
      return Unary::softsign;
    case Op::Sqrt:
      return Unary::sqrt;
    case Op::Tanh:
      return Unary::tanh;
    case Op::ThresholdedRelu:
      return Unary::thresholded_relu;
    default:
      return std::nullopt;
  }
}

std::optional<Binary> binary_of(Op op) {
  switch (op) {
    case Op::Add:
    case Op::Mean:
    case Op::Sum:
      return Binary::add;
    case Op::Div:
      return Binary::div;
    case Op::Max:
      return Binary::max;
    case Op::Min:
      return Binary::min;
    case Op::Mul:
      return Binary::mul;
    case Op::PRelu:
      return Binary::prelu;
    case Op::Sub:
      return Binary::sub;
    default:
      return std::nullopt;
  }
}

// A walk over tensors of one shape.
Walk plain_walk(const Tensor& tensor) {
  return make_walk(tensor.dims, {reference::strides_of(tensor.dims)});
}

double softplus(double x) { return std::max(x, 0.0) + log1p_of(exp_of(-std::fabs(x))); }

// What is rare, in double.
double scalar_unary(Op op, float x, const UnaryParameters& p) {
  const auto wide = static_cast<double>(x);
  switch (op) {
    case Op::Acos:
      return acos_of(wide);
    case Op::Acosh:
      return acosh_of(wide);
    case Op::Asin:
      return asin_of(wide);
    case Op::Asinh:
      return asinh_of(wide);
    case Op::Atan:
      return atan_of(wide);
    case Op::Atanh:
      return atanh_of(wide);
    case Op::Celu:
      return x < 0 ? p.alpha * expm1_of(wide / p.alpha) : wide;
    case Op::Cos:
      return cos_of(x);
    case Op::Cosh:
      return cosh_of(wide);
    case Op::Elu:
      return x < 0 ? p.alpha * expm1_of(wide) : wide;
    case Op::Log:
      return log_of(wide);
    case Op::Mish:
      return wide * tanh_of(softplus(wide));
    case Op::Selu:
      return p.gamma * (x > 0 ? wide : p.alpha * expm1_of(wide));
    case Op::Sign:
      return x > 0 ? 1 : x < 0 ? -1 : wide;
    case Op::Sin:
      return sin_of(x);
    case Op::Sinh:
      return sinh_of(wide);
    case Op::Softplus:
      return softplus(wide);
    case Op::Tan:
      return tan_of(x);
    default:
      return wide;  // unary_form() takes no others
  }
}

bool is_scalar_unary(Op op) {
  switch (op) {
    case Op::Acos:
    case Op::Acosh:
    case Op::Asin:
    case Op::Asinh:
    case Op::Atan:
    case Op::Atanh:
    case Op::Celu:
    case Op::Cos:
    case Op::Cosh:
    case Op::Elu:
    case Op::Log:
    case Op::Mish:
    case Op::Selu:
    case Op::Sign:
    case Op::Sin:
    case Op::Sinh:
    case Op::Softplus:
    case Op::Tan:
      return true;
    default:
      return false;
  }
}

// Powers that models use are products; the others are exponentials.
void scalar_pow(const float* a, std::int64_t a_step, const float* b, std::int64_t b_step,
                std::int64_t count, float* out) {
  if (b_step == 0 && *b == 2 && a_step == 1) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = a[i] * a[i];
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const auto x = static_cast<double>(a[i * a_step]);
    const float y = b[i * b_step];
    const double value = y == 2     ? x * x
                         : y == 3   ? x * x * x
                         : y == 0.5 ? (x == -HUGE_VAL ? HUGE_VAL : std::sqrt(x + 0.0))
                                    : pow_of(x, static_cast<double>(y));
    out[i] = static_cast<float>(value);
  }
}

void apply_binary(Op op, const float* a, std::int64_t a_step, const float* b, std::int64_t b_step,
                  std::int64_t count, float* out) {
  if (op == Op::Pow) {
    scalar_pow(a, a_step, b, b_step, count, out);
  } else {
    binary_lanes(*binary_of(op), a, a_step, b, b_step, count, out);
  }
}

// out = op(a, b), both broadcast to the shape of `out`.
void zip(Op op, const Tensor& a, const Tensor& b, const Made& out, Machine& machine) {
  const Dims& dims = out.tensor.dims;
  const Walk walk =
      make_walk(dims, {broadcast_strides(a.dims, dims), broadcast_strides(b.dims, dims)});
  for_pieces(walk, op == Op::Pow ? 30 : 0.5, machine,
             [&](std::span<const std::int64_t> offsets, std::int64_t first, std::int64_t count) {
               apply_binary(op, floats(a) + offsets[0], walk.step(0), floats(b) + offsets[1],
                            walk.step(1), count, out.floats() + first);
             });
}

template <typename Compare>
void compare_all(const Tensor& a, const Tensor& b, const Made& out, Machine& machine,
                 const Compare& compare) {
  const Dims& dims = out.tensor.dims;
  const Walk walk =
      make_walk(dims, {broadcast_strides(a.dims, dims), broadcast_strides(b.dims, dims)});
  for_pieces(walk, 1, machine,
             [&](std::span<const std::int64_t> offsets, std::int64_t first, std::int64_t count) {
               const float* const x = floats(a) + offsets[0];
               const float* const y = floats(b) + offsets[1];
               for (std::int64_t i = 0; i < count; ++i)
                 out.bytes[first + i] =
                     std::byte{compare(x[i * walk.step(0)], y[i * walk.step(1)])};
             });
}

// Exponents of another dtype than the base.
Result pow_to_integers(const Call& call, Machine& machine) {
  const Tensor& a = call.input(0);
  SUBBYTE_TRY(Dims dims, broadcast_dims(call, a.dims, call.input(1).dims));
  SUBBYTE_TRY(const Tensor base, broadcast_to(call, a, dims));
  SUBBYTE_TRY(const Tensor exponent, broadcast_to(call, call.input(1), dims));
  const std::vector<double> exponents = reference::read_doubles(exponent);
  SUBBYTE_TRY(Made made, make(call, machine, DType::float32, std::move(dims)));
  for (std::size_t i = 0; i < exponents.size(); ++i) {
    const auto x = static_cast<double>(floats(base)[i]);
    made.floats()[i] = static_cast<float>(exponents[i] == 2 ? x * x : pow_of(x, exponents[i]));
  }
  return std::move(made).done();
}

}  // namespace

Result unary_form(const Call& call, Machine& machine) {
  const Op op = call.node.op;
  const Tensor& x = call.input(0);
  const std::optional<Unary> lanes = unary_of(op);
  if (!is_float32(x) || !(lanes || is_scalar_unary(op))) return Outputs();
  SUBBYTE_TRY(const UnaryParameters p, reference::unary_parameters(call.node));
  SUBBYTE_TRY(Made made, make(call, machine, DType::float32, x.dims));
  const LaneParameters narrow{static_cast<float>(p.alpha), static_cast<float>(p.beta),
                              p.tanh_approximation};
  for_pieces(plain_walk(x), lanes ? 1 : 40, machine,
             [&](std::span<const std::int64_t>, std::int64_t first, std::int64_t count) {
               const float* const from = floats(x) + first;
               float* const to = made.floats() + first;
               if (lanes) return unary_lanes(*lanes, narrow, from, count, to);
               for (std::int64_t i = 0; i < count; ++i)
                 to[i] = static_cast<float>(scalar_unary(op, from[i], p));
             });
  return std::move(made).done();
}

Result binary_form(const Call& call, Machine& machine) {
  const Op op = call.node.op;
  if (op == Op::Pow && is_float32(call.input(0)) && is_integer(call.input(1).dtype))
    return pow_to_integers(call, machine);
  if (!all_float32(call) || !(binary_of(op) || op == Op::Pow)) return Outputs();
  const Tensor& a = call.input(0);
  const Tensor& b = call.input(1);
  SUBBYTE_TRY(Dims dims, broadcast_dims(call, a.dims, b.dims));
  // The slope of PRelu broadcasts to the input and not the other way.
  if (op == Op::PRelu && dims != a.dims) return Outputs();
  SUBBYTE_TRY(Made made, make(call, machine, DType::float32, std::move(dims)));
  zip(op, a, b, made, machine);
  return std::move(made).done();
}

Result compare_form(const Call& call, Machine& machine) {
  if (!all_float32(call)) return Outputs();
  const Tensor& a = call.input(0);
  const Tensor& b = call.input(1);
  SUBBYTE_TRY(Dims dims, broadcast_dims(call, a.dims, b.dims));
  SUBBYTE_TRY(Made made, make(call, machine, DType::boolean, std::move(dims)));
  const auto with = [&](const auto& compare) { compare_all(a, b, made, machine, compare); };
  switch (call.node.op) {
    case Op::Equal:
      with(std::equal_to<float>());
      break;
    case Op::Greater:
      with(std::greater<float>());
      break;
    case Op::GreaterOrEqual:
      with(std::greater_equal<float>());
      break;
    case Op::Less:
      with(std::less<float>());
      break;
    default:
      with(std::less_equal<float>());
      break;
  }
  return std::move(made).done();
}

// Two at a time, from the first on.
Result variadic_form(const Call& call, Machine& machine) {
  const Op op = call.node.op;
  if (!all_float32(call)) return Outputs();
  Dims dims = call.input(0).dims;
  for (const Tensor* input : call.inputs) {
    SUBBYTE_TRY(dims, broadcast_dims(call, dims, input->dims));
  }
  if (call.inputs.size() == 1) return Outputs{call.input(0)};
  Tensor sum = call.input(0);
  Made made;
  for (std::size_t i = 1; i < call.inputs.size(); ++i) {
    SUBBYTE_TRY(Dims joined, broadcast_dims(call, sum.dims, call.input(i).dims));
    SUBBYTE_TRY(made, make(call, machine, DType::float32, std::move(joined)));
    zip(op, sum, call.input(i), made, machine);
    sum = made.tensor;
  }
  if (op == Op::Mean) {
    const auto count = static_cast<float>(call.inputs.size());
    for (std::int64_t i = 0; i < sum.elements(); ++i) made.floats()[i] /= count;
  }
  return std::move(made).done();
}

Result clip_form(const Call& call, Machine& machine) {
  // What is absent is the largest finite value, as ONNX says.
  float bounds[] = {-std::numeric_limits<float>::max(), std::numeric_limits<float>::max()};
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    if (!call.has(i)) continue;
    if (!is_float32(call.input(i)) || (i > 0 && call.input(i).elements() != 1)) return Outputs();
    if (i > 0) bounds[i - 1] = floats(call.input(i))[0];
  }
  if (std::isnan(bounds[0]) || std::isnan(bounds[1])) return Outputs();
  const Tensor& x = call.input(0);
  SUBBYTE_TRY(Made made, make(call, machine, DType::float32, x.dims));
  for_pieces(plain_walk(x), 0.5, machine,
             [&](std::span<const std::int64_t>, std::int64_t first, std::int64_t count) {
               clip_lanes(floats(x) + first, bounds[0], bounds[1], count, made.floats() + first);
             });
  return std::move(made).done();
}

Result where_form(const Call& call, Machine& machine) {
  const Tensor& condition = call.input(0);
  const Tensor& x = call.input(1);
  const Tensor& y = call.input(2);
  if (condition.dtype != DType::boolean || !is_float32(x) || !is_float32(y)) return Outputs();
  SUBBYTE_TRY(Dims dims, broadcast_dims(call, x.dims, y.dims));
  SUBBYTE_TRY(dims, broadcast_dims(call, condition.dims, dims));
  SUBBYTE_TRY(Made made, make(call, machine, DType::float32, dims));
  const Walk walk =
      make_walk(dims, {broadcast_strides(condition.dims, dims), broadcast_strides(x.dims, dims),
                       broadcast_strides(y.dims, dims)});
  for_pieces(walk, 1, machine,
             [&](std::span<const std::int64_t> offsets, std::int64_t first, std::int64_t count) {
               const std::byte* const c = condition.data.data() + offsets[0];
               const float* const a = floats(x) + offsets[1];
               const float* const b = floats(y) + offsets[2];
               float* const out = made.floats() + first;
               for (std::int64_t i = 0; i < count; ++i)
                 out[i] = c[i * walk.step(0)] != std::byte{0} ? a[i * walk.step(1)]
                                                              : b[i * walk.step(2)];
             });
  return std::move(made).done();
}

}  // namespace subbyte::calibrate
