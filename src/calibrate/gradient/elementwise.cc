// Gradients of what goes element by element.
#include <cmath>

#include "base/scalar_math.h"
#include "calibrate/gradient/gradient.h"
#include "calibrate/strided.h"
#include "graph/ops.h"
#include "reference/unary.h"

namespace subbyte::calibrate {
namespace {

using reference::UnaryParameters;

constexpr double kInverseRootOf2 = 0.70710678118654752440;
constexpr double kTwoByRootOfPi = 1.12837916709551257390;

double sigmoid(double x) { return 1 / (1 + exp_of(-x)); }
double softplus(double x) { return std::max(x, 0.0) + log1p_of(exp_of(-std::fabs(x))); }

double gelu_slope(double x, bool tanh_approximation) {
  if (!tanh_approximation) {
    const double density = 0.5 * kInverseRootOf2 * kTwoByRootOfPi * exp_of(-x * x / 2);
    return 0.5 * (1 + erf_of(x * kInverseRootOf2)) + x * density;
  }
  constexpr double kCube = 0.044715;
  const double root = kInverseRootOf2 * kTwoByRootOfPi;  // of 2 / pi
  const double t = tanh_of(root * (x + kCube * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * root * (1 + 3 * kCube * x * x);
}

// dy/dx of y = f(x). Where there is none (a corner), that of one side.
double slope(Op op, const UnaryParameters& p, double x, double y) {
  switch (op) {
    case Op::Abs:
      return x > 0 ? 1 : x < 0 ? -1 : 0;
    case Op::Acos:
      return -1 / std::sqrt(1 - x * x);
    case Op::Asin:
      return 1 / std::sqrt(1 - x * x);
    case Op::Asinh:
      return 1 / std::sqrt(1 + x * x);
    case Op::Atan:
      return 1 / (1 + x * x);
    case Op::Atanh:
      return 1 / (1 - x * x);
    case Op::Celu:
      return x < 0 ? exp_of(x / p.alpha) : 1;
    case Op::Cos:
      return -sin_of(x);
    case Op::Cosh:
      return sinh_of(x);
    case Op::Elu:
      return x < 0 ? p.alpha * exp_of(x) : 1;
    case Op::Erf:
      return kTwoByRootOfPi * exp_of(-x * x);
    case Op::Exp:
      return y;
    case Op::Gelu:
      return gelu_slope(x, p.tanh_approximation);
    case Op::HardSigmoid:
      return y > 0 && y < 1 ? p.alpha : 0;
    case Op::HardSwish:
      return x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6;
    case Op::LeakyRelu:
      return x < 0 ? p.alpha : 1;
    case Op::Log:
      return 1 / x;
    case Op::Mish: {
      const double t = tanh_of(softplus(x));
      return t + x * (1 - t * t) * sigmoid(x);
    }
    case Op::Neg:
      return -1;
    case Op::Reciprocal:
      return -y * y;
    case Op::Relu:
      return x > 0 ? 1 : 0;
    case Op::Selu:
      return p.gamma * (x > 0 ? 1 : p.alpha * exp_of(x));
    case Op::Sigmoid:
      return y * (1 - y);
    case Op::Sin:
      return cos_of(x);
    case Op::Sinh:
      return cosh_of(x);
    case Op::Softplus:
      return sigmoid(x);
    case Op::Softsign:
      return 1 / ((1 + std::fabs(x)) * (1 + std::fabs(x)));
    case Op::Sqrt:
      return y > 0 ? 0.5 / y : 0;
    case Op::Tan:
      return 1 + y * y;
    case Op::Tanh:
      return 1 - y * y;
    default:  // ThresholdedRelu; gradient_of() names no others
      return x > p.alpha ? 1 : 0;
  }
}

// What one input of y = f(a, b) loses.
template <Op op, bool second>
float part(float a, float b, float y, float lost) {
  switch (op) {
    case Op::Sub:
      return second ? -lost : lost;
    case Op::Mul:
      return lost * (second ? a : b);
    case Op::Div:
      return second ? -lost * y / b : lost / b;
    case Op::PRelu:
      return second ? (a < 0 ? lost * a : 0) : (a < 0 ? lost * b : lost);
    case Op::Pow:
      if (second) return a > 0 ? lost * y * static_cast<float>(log_of(static_cast<double>(a))) : 0;
      if (b == 2) return 2 * a * lost;
      return lost * b *
             static_cast<float>(pow_of(static_cast<double>(a), static_cast<double>(b) - 1));
    default:  // Add
      return lost;
  }
}

// Into an input of the shape of `found`, or into one that broadcasts to it.
class Adder {
 public:
  Adder(const GradientCall& call, std::size_t input, Machine& machine)
      : call_(call), input_(input), dims_(call.outputs[0]->dims) {
    if (call.input(input).dims != dims_) scratch_.emplace(machine, call.outputs[0]->elements());
  }
  bool is_whole() const { return !scratch_; }
  float* to() { return scratch_ ? scratch_->data() : call_.into[input_]; }
  void finish() {
    if (scratch_)
      add_reduced(scratch_->data(), dims_, call_.input(input_).dims, call_.into[input_]);
  }

 private:
  const GradientCall& call_;
  std::size_t input_;
  const Dims& dims_;
  std::optional<Scratch> scratch_;
};

template <Op op, bool second>
void add_part(const GradientCall& call, Machine& machine) {
  constexpr std::size_t input = second ? 1 : 0;
  if (!call.wants(input)) return;
  const Dims& dims = call.outputs[0]->dims;
  const Walk walk =
      make_walk(dims, {broadcast_strides(call.input(0).dims, dims),
                       broadcast_strides(call.input(1).dims, dims), reference::strides_of(dims)});
  const float* const a = floats(call.input(0));
  const float* const b = floats(call.input(1));
  const float* const y = floats(*call.outputs[0]);
  Adder adder(call, input, machine);
  float* const to = adder.to();
  const bool whole = adder.is_whole();
  for_pieces(walk, op == Op::Pow ? 20 : 1, machine,
             [&](std::span<const std::int64_t> at, std::int64_t first, std::int64_t count) {
               const std::int64_t a_step = walk.step(0), b_step = walk.step(1);
               for (std::int64_t i = 0; i < count; ++i) {
                 const float found = part<op, second>(a[at[0] + i * a_step], b[at[1] + i * b_step],
                                                      y[first + i], call.lost[0][first + i]);
                 to[first + i] = whole ? to[first + i] + found : found;
               }
             });
  adder.finish();
}

template <Op op>
void add_both(const GradientCall& call, Machine& machine) {
  add_part<op, false>(call, machine);
  add_part<op, true>(call, machine);
}

}  // namespace

void add_reduced(const float* found, const Dims& to, const Dims& dims, float* into) {
  const Walk walk = make_walk(to, {broadcast_strides(dims, to), reference::strides_of(to)});
  const std::int64_t row = walk.row(), rows = walk.rows(), step = walk.step(0);
  const std::size_t outer = walk.dims.size() - 1;
  Dims at(outer, 0);
  std::int64_t offset = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* const from = found + r * row;
    if (step == 0) {
      double sum = 0;
      for (std::int64_t i = 0; i < row; ++i) sum += static_cast<double>(from[i]);
      into[offset] += static_cast<float>(sum);
    } else {
      for (std::int64_t i = 0; i < row; ++i) into[offset + i * step] += from[i];
    }
    for (std::size_t axis = outer; axis-- > 0;) {
      const bool wraps = ++at[axis] == walk.dims[axis];
      offset += walk.strides[0][axis] * (wraps ? 1 - walk.dims[axis] : 1);
      if (!wraps) break;
      at[axis] = 0;
    }
  }
}

Expected<void> unary_gradient(const GradientCall& call, Machine& machine) {
  SUBBYTE_TRY(const UnaryParameters p, reference::unary_parameters(call.node));
  const float* const x = floats(call.input(0));
  const float* const y = floats(*call.outputs[0]);
  const Op op = call.node.op;
  for_elements(call.input(0).elements(), 10, machine, [&](std::int64_t first, std::int64_t end) {
    for (std::int64_t i = first; i < end; ++i)
      call.into[0][i] +=
          call.lost[0][i] *
          static_cast<float>(slope(op, p, static_cast<double>(x[i]), static_cast<double>(y[i])));
  });
  return {};
}

Expected<void> binary_gradient(const GradientCall& call, Machine& machine) {
  switch (call.node.op) {
    case Op::Sub:
      add_both<Op::Sub>(call, machine);
      break;
    case Op::Mul:
      add_both<Op::Mul>(call, machine);
      break;
    case Op::Div:
      add_both<Op::Div>(call, machine);
      break;
    case Op::PRelu:
      add_both<Op::PRelu>(call, machine);
      break;
    case Op::Pow:
      if (!is_float32(call.input(1)) || !is_float32(call.input(0)))
        return fail("a power of integers has no gradient");
      add_both<Op::Pow>(call, machine);
      break;
    default:
      add_both<Op::Add>(call, machine);
  }
  return {};
}

Expected<void> variadic_gradient(const GradientCall& call, Machine& machine) {
  const Op op = call.node.op;
  const Dims& dims = call.outputs[0]->dims;
  const float* const y = floats(*call.outputs[0]);
  const auto share = op == Op::Mean ? 1 / static_cast<float>(call.inputs.size()) : 1.0f;
  const bool selects = op == Op::Max || op == Op::Min;
  for (std::size_t input = 0; input < call.inputs.size(); ++input) {
    if (!call.wants(input)) continue;
    const Walk walk = make_walk(
        dims, {broadcast_strides(call.input(input).dims, dims), reference::strides_of(dims)});
    const float* const x = floats(call.input(input));
    Adder adder(call, input, machine);
    float* const to = adder.to();
    const bool whole = adder.is_whole();
    for_pieces(walk, 1, machine,
               [&](std::span<const std::int64_t> at, std::int64_t first, std::int64_t count) {
                 for (std::int64_t i = 0; i < count; ++i) {
                   const bool chosen = !selects || x[at[0] + i * walk.step(0)] == y[first + i];
                   const float found = chosen ? call.lost[0][first + i] * share : 0;
                   to[first + i] = whole ? to[first + i] + found : found;
                 }
               });
    adder.finish();
  }
  return {};
}

Expected<void> clip_gradient(const GradientCall& call, Machine& machine) {
  if (call.wants(1) || call.wants(2)) return fail("the limits of a Clip have no gradient here");
  const float low = call.has(1) ? floats(call.input(1))[0] : -HUGE_VALF;
  const float high = call.has(2) ? floats(call.input(2))[0] : HUGE_VALF;
  const float* const x = floats(call.input(0));
  for_elements(call.input(0).elements(), 1, machine, [&](std::int64_t first, std::int64_t end) {
    for (std::int64_t i = first; i < end; ++i)
      call.into[0][i] += x[i] >= low && x[i] <= high ? call.lost[0][i] : 0;
  });
  return {};
}

Expected<void> same_gradient(const GradientCall& call, Machine& machine) {
  for_elements(call.input(0).elements(), 1, machine, [&](std::int64_t first, std::int64_t end) {
    for (std::int64_t i = first; i < end; ++i) call.into[0][i] += call.lost[0][i];
  });
  return {};
}

Expected<void> no_gradient(const GradientCall&, Machine&) { return {}; }

}  // namespace subbyte::calibrate
