// LSTM, GRU and RNN, one time after the other, in double throughout (ONNX, Operators.md).
#include <algorithm>

#include "base/scalar_math.h"
#include "graph/ops.h"
#include "graph/recurrence.h"
#include "reference/call.h"

namespace subbyte::reference {
namespace {

double activate(const ActivationUse& use, double x) {
  const double alpha = use.alpha, beta = use.beta;
  switch (use.function) {
    case Activation::affine:
      return alpha * x + beta;
    case Activation::elu:
      return x >= 0 ? x : alpha * expm1_of(x);
    case Activation::hard_sigmoid:
      return std::min(std::max(alpha * x + beta, 0.0), 1.0);
    case Activation::leaky_relu:
      return x >= 0 ? x : alpha * x;
    case Activation::relu:
      return std::max(x, 0.0);
    case Activation::scaled_tanh:
      return alpha * tanh_of(beta * x);
    case Activation::sigmoid:
      return 1 / (1 + exp_of(-x));
    case Activation::softplus:
      return std::max(x, 0.0) + log1p_of(exp_of(-std::abs(x)));
    case Activation::softsign:
      return x / (1 + std::abs(x));
    case Activation::tanh:
      return tanh_of(x);
    case Activation::thresholded_relu:
      return x > alpha ? x : 0;
  }
  return x;
}

using Doubles = std::vector<double>;

// One direction of one element of the batch. Rows of the weights and elements of the biases are
// those of the gates, one after the other; each vector of the state has `hidden` elements.
struct Line {
  const Recurrence& r;
  Op op;
  std::size_t hidden, input;
  const std::array<ActivationUse, 3>& activations;
  std::span<const double> w, rw, wb, rb, p;  // no biases and peepholes where they are absent
  Doubles h, c;

  double clipped(double x) const {
    const double most = r.clip;
    return most > 0 ? std::clamp(x, -most, most) : x;
  }
  double apply(std::size_t which, double x) const {
    return activate(activations[which], which == 2 ? x : clipped(x));
  }
  static double dot(std::span<const double> rows, std::size_t row, std::span<const double> x) {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += rows[row * x.size() + i] * x[i];
    return sum;
  }
  double from_input(std::span<const double> x, std::size_t row) const {
    return dot(w, row, x) + (wb.empty() ? 0 : wb[row]);
  }
  double from_state(std::span<const double> state, std::size_t row) const {
    return dot(rw, row, state) + (rb.empty() ? 0 : rb[row]);
  }
  double peephole(std::size_t gate, std::size_t u, double cell) const {
    return p.empty() ? 0 : p[gate * hidden + u] * cell;
  }

  void step(std::span<const double> x) {
    if (op == Op::LSTM) return lstm(x);
    if (op == Op::GRU) return gru(x);
    Doubles next(hidden);
    for (std::size_t u = 0; u < hidden; ++u)
      next[u] = apply(0, from_input(x, u) + from_state(h, u));
    h = std::move(next);
  }

  // Gates i, o, f, c.
  void lstm(std::span<const double> x) {
    Doubles next(hidden);
    for (std::size_t u = 0; u < hidden; ++u) {
      const auto gate = [&](std::size_t g) {
        return from_input(x, g * hidden + u) + from_state(h, g * hidden + u);
      };
      const double in = apply(0, gate(0) + peephole(0, u, c[u]));
      const double forget = r.input_forget ? 1 - in : apply(0, gate(2) + peephole(2, u, c[u]));
      c[u] = forget * c[u] + in * apply(1, gate(3));
      const double out = apply(0, gate(1) + peephole(1, u, c[u]));
      next[u] = out * apply(2, c[u]);
    }
    h = std::move(next);
  }

  // Gates z, r, h.
  void gru(std::span<const double> x) {
    Doubles update(hidden), reset(hidden), kept(hidden);
    for (std::size_t u = 0; u < hidden; ++u) {
      update[u] = apply(0, from_input(x, u) + from_state(h, u));
      reset[u] = apply(0, from_input(x, hidden + u) + from_state(h, hidden + u));
      kept[u] = reset[u] * h[u];
    }
    Doubles next(hidden);
    for (std::size_t u = 0; u < hidden; ++u) {
      const std::size_t row = 2 * hidden + u;
      const double state =
          r.linear_before_reset ? reset[u] * from_state(h, row) : from_state(kept, row);
      next[u] = (1 - update[u]) * apply(1, from_input(x, row) + state) + update[u] * h[u];
    }
    h = std::move(next);
  }
};

struct Sizes {
  std::size_t time, batch, input, hidden, directions;
};

Expected<Sizes> checked_sizes(const Call& call, const Recurrence& r) {
  const Dims& x = call.input(0).dims;
  const Dims& hidden = call.input(2).dims;
  if (x.size() != 3 || hidden.size() != 3)
    return fail("{}: its inputs 0 and 2 have shapes {} and {}; their rank must be 3",
                call.node.op_type, dims_text(x), dims_text(hidden));
  const std::int64_t time = x[r.batch_first ? 1 : 0], batch = x[r.batch_first ? 0 : 1];
  const std::int64_t h = hidden[2], rows = r.gates * h;
  const Dims state = r.batch_first ? Dims{batch, r.directions, h} : Dims{r.directions, batch, h};
  const std::pair<std::size_t, Dims> wanted[] = {
      {1, {r.directions, rows, x[2]}},
      {2, {r.directions, rows, h}},
      {3, {r.directions, 2 * rows}},
      {4, {batch}},
      {5, state},
      {6, state},
      {7, {r.directions, 3 * h}},
  };
  for (const auto& [i, dims] : wanted) {
    if (call.has(i) && call.input(i).dims != dims)
      return fail("{}: its input {} has shape {}; it must be {}", call.node.op_type, i,
                  dims_text(call.input(i).dims), dims_text(dims));
  }
  return Sizes{static_cast<std::size_t>(time), static_cast<std::size_t>(batch),
               static_cast<std::size_t>(x[2]), static_cast<std::size_t>(h),
               static_cast<std::size_t>(r.directions)};
}

// The times that each element of the batch has.
Expected<std::vector<std::size_t>> lengths_of(const Call& call, const Sizes& s) {
  std::vector<std::size_t> lengths(s.batch, s.time);
  if (!call.has(4)) return lengths;
  SUBBYTE_TRY(const Dims given, integer_list(call, 4));
  for (std::size_t n = 0; n < s.batch; ++n) {
    const std::int64_t length = given[n];
    if (length < 0 || length > static_cast<std::int64_t>(s.time))
      return fail("{}: a sequence has length {}; it must be from 0 to {}, the times of the input",
                  call.node.op_type, length, s.time);
    lengths[n] = static_cast<std::size_t>(length);
  }
  return lengths;
}

// The elements of the whole node.
struct Whole {
  const Recurrence& r;
  Sizes s;
  Doubles x, w, rw, b, h, c, p;
  Doubles y, last_h, last_c;

  std::size_t state_at(std::size_t d, std::size_t n) const {
    return (r.batch_first ? n * s.directions + d : d * s.batch + n) * s.hidden;
  }
  std::size_t y_at(std::size_t t, std::size_t d, std::size_t n) const {
    return (r.batch_first ? (n * s.time + t) * s.directions + d
                          : (t * s.directions + d) * s.batch + n) *
           s.hidden;
  }
  std::size_t x_at(std::size_t t, std::size_t n) const {
    return (r.batch_first ? n * s.time + t : t * s.batch + n) * s.input;
  }
  std::span<const double> of_direction(const Doubles& all, std::size_t d) const {
    const std::size_t count = all.size() / s.directions;
    return std::span(all).subspan(d * count, count);
  }
  Doubles state(const Doubles& all, std::size_t at) const {
    if (all.empty()) return Doubles(s.hidden);
    return Doubles(all.begin() + static_cast<std::ptrdiff_t>(at),
                   all.begin() + static_cast<std::ptrdiff_t>(at + s.hidden));
  }

  void run(Op op, std::size_t d, std::size_t n, std::size_t length) {
    const auto biases = of_direction(b, d);
    Line line{r,
              op,
              s.hidden,
              s.input,
              r.activations[d],
              of_direction(w, d),
              of_direction(rw, d),
              biases.first(biases.size() / 2),
              biases.subspan(biases.size() / 2),
              of_direction(p, d),
              state(h, state_at(d, n)),
              state(c, state_at(d, n))};
    const bool backwards = d == 1 || r.reversed;
    for (std::size_t i = 0; i < length; ++i) {
      const std::size_t t = backwards ? length - 1 - i : i;
      line.step(std::span(x).subspan(x_at(t, n), s.input));
      std::ranges::copy(line.h, y.begin() + static_cast<std::ptrdiff_t>(y_at(t, d, n)));
    }
    std::ranges::copy(line.h, last_h.begin() + static_cast<std::ptrdiff_t>(state_at(d, n)));
    std::ranges::copy(line.c, last_c.begin() + static_cast<std::ptrdiff_t>(state_at(d, n)));
  }
};

}  // namespace

// Past the length of a sequence Y is 0; Y_h and Y_c are the states after its last element, which in
// the direction backwards is the first.
Result reference_recurrent(const Call& call) {
  const Tensor& x = call.input(0);
  if (!is_float(x.dtype)) return wrong_dtype(call, x.dtype);
  auto read = recurrence_of(call.node);
  if (!read) return within(call.node.op_type, std::move(read.error()));
  const Recurrence& r = *read;
  SUBBYTE_TRY(const Sizes s, checked_sizes(call, r));
  SUBBYTE_TRY(const auto lengths, lengths_of(call, s));
  const auto doubles = [&](std::size_t i) {
    return call.has(i) ? read_doubles(call.input(i)) : Doubles();
  };
  const auto T = static_cast<std::int64_t>(s.time), N = static_cast<std::int64_t>(s.batch),
             H = static_cast<std::int64_t>(s.hidden);
  const Dims all = r.batch_first ? Dims{N, T, r.directions, H} : Dims{T, r.directions, N, H};
  const Dims last = r.batch_first ? Dims{N, r.directions, H} : Dims{r.directions, N, H};
  SUBBYTE_CHECK_OK(output_bytes(call, DType::float64, all));
  SUBBYTE_CHECK_OK(output_bytes(call, DType::float64, last));
  const std::size_t states = s.directions * s.batch * s.hidden;
  Whole whole{r,
              s,
              doubles(0),
              doubles(1),
              doubles(2),
              doubles(3),
              doubles(5),
              doubles(6),
              doubles(7),
              Doubles(s.time * states),
              Doubles(states),
              Doubles(states)};
  for (std::size_t d = 0; d < s.directions; ++d)
    for (std::size_t n = 0; n < s.batch; ++n) whole.run(call.node.op, d, n, lengths[n]);
  std::vector<Tensor> outputs;
  SUBBYTE_TRY(Tensor y, make_floats(call, x.dtype, all, whole.y));
  SUBBYTE_TRY(Tensor y_h, make_floats(call, x.dtype, last, whole.last_h));
  SUBBYTE_TRY(Tensor y_c, make_floats(call, x.dtype, last, whole.last_c));
  outputs.push_back(std::move(y));
  outputs.push_back(std::move(y_h));
  if (call.node.op == Op::LSTM) outputs.push_back(std::move(y_c));
  return outputs;
}

}  // namespace subbyte::reference
