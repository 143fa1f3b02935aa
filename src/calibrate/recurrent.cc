// LSTM, GRU and RNN: the products of the input for all times at once, then one time after the
// other, several elements of the batch together so that a weight is read once for all of them.
#include <algorithm>

#include "calibrate/elementwise_simd.h"
#include "calibrate/forms.h"
#include "calibrate/panels.h"
#include "graph/ops.h"
#include "graph/recurrence.h"

namespace subbyte::calibrate {
namespace {

// Elements of the batch that one task walks through time with.
constexpr std::int64_t kTogether = 8;

std::optional<Unary> lanes_of(Activation activation) {
  switch (activation) {
    case Activation::hard_sigmoid:
      return Unary::hard_sigmoid;
    case Activation::leaky_relu:
      return Unary::leaky_relu;
    case Activation::relu:
      return Unary::relu;
    case Activation::sigmoid:
      return Unary::sigmoid;
    case Activation::softsign:
      return Unary::softsign;
    case Activation::tanh:
      return Unary::tanh;
    case Activation::thresholded_relu:
      return Unary::thresholded_relu;
    default:
      return std::nullopt;
  }
}

struct Sizes {
  std::int64_t time, batch, input, hidden;
};

bool is_float_of(const Call& call, std::size_t i, const Dims& dims) {
  return !call.has(i) || (is_float32(call.input(i)) && call.input(i).dims == dims);
}

// nullopt: the reference computes it, or says what is wrong.
std::optional<Sizes> sizes_of(const Call& call, const Recurrence& r) {
  const Dims& x = call.input(0).dims;
  const Dims& weights = call.input(2).dims;
  if (!is_float32(call.input(0)) || x.size() != 3 || weights.size() != 3 || call.has(4))
    return std::nullopt;
  const Sizes s{x[r.batch_first ? 1 : 0], x[r.batch_first ? 0 : 1], x[2], weights[2]};
  const std::int64_t rows = r.gates * s.hidden;
  const Dims state =
      r.batch_first ? Dims{s.batch, r.directions, s.hidden} : Dims{r.directions, s.batch, s.hidden};
  const bool fits = is_float_of(call, 1, {r.directions, rows, s.input}) &&
                    is_float_of(call, 2, {r.directions, rows, s.hidden}) &&
                    is_float_of(call, 3, {r.directions, 2 * rows}) && is_float_of(call, 5, state) &&
                    is_float_of(call, 6, state) &&
                    is_float_of(call, 7, {r.directions, 3 * s.hidden});
  if (!fits || s.hidden == 0 || s.time == 0 || s.batch == 0 || s.input == 0) return std::nullopt;
  for (const auto& uses : r.activations)
    for (const ActivationUse& use : uses)
      if (!lanes_of(use.function)) return std::nullopt;
  return s;
}

// A matrix [depth, columns] as panels, one after the other.
class Panels {
 public:
  Panels(Machine& machine, const PanelSource& source, std::int64_t depth, std::int64_t columns)
      : depth_(depth), columns_(columns), memory_(machine, panels() * stride()) {
    for (std::int64_t p = 0; p < panels(); ++p)
      pack_panel({source.b + p * panel_columns() * source.column_stride, source.row_stride,
                  source.column_stride},
                 depth, count(p), memory_.data() + p * stride());
  }
  void multiply(const float* a, std::int64_t rows, float* c) {
    for (std::int64_t p = 0; p < panels(); ++p)
      multiply_panel(a, depth_, rows, depth_, memory_.data() + p * stride(), panel_width(count(p)),
                     count(p), c + p * panel_columns(), columns_);
  }

 private:
  std::int64_t panels() const { return (columns_ + panel_columns() - 1) / panel_columns(); }
  std::int64_t stride() const { return depth_ * panel_width(panel_columns()); }
  std::int64_t count(std::int64_t p) const {
    return std::min(panel_columns(), columns_ - p * panel_columns());
  }

  std::int64_t depth_, columns_;
  Scratch memory_;
};

// Where the parts of the node lie.
struct Whole {
  const Call& call;
  const Recurrence& r;
  Sizes s;
  Op op;
  float *y, *last_h, *last_c;

  std::int64_t rows() const { return r.gates * s.hidden; }
  std::int64_t state_at(std::int64_t d, std::int64_t n) const {
    return (r.batch_first ? n * r.directions + d : d * s.batch + n) * s.hidden;
  }
  std::int64_t y_at(std::int64_t t, std::int64_t d, std::int64_t n) const {
    return (r.batch_first ? (n * s.time + t) * r.directions + d
                          : (t * r.directions + d) * s.batch + n) *
           s.hidden;
  }
  std::int64_t place(std::int64_t t, std::int64_t n) const {
    return r.batch_first ? n * s.time + t : t * s.batch + n;
  }
};

// Some elements of the batch in one direction.
class Walk {
 public:
  Walk(const Whole& node, const float* projected, std::vector<Panels>& weights, std::int64_t d,
       std::int64_t first, std::int64_t lines, Machine& machine)
      : node_(node),
        projected_(projected),
        weights_(weights),
        d_(d),
        first_(first),
        lines_(lines),
        size_(node.s.hidden),
        memory_(machine, lines * (node.rows() + 5 * size_)) {
    sums_ = memory_.data();
    h_ = sums_ + lines * node.rows();
    c_ = h_ + lines * size_;
    scratch_ = c_ + lines * size_;
  }

  void run() {
    begin(5, h_);
    begin(6, c_);
    for (std::int64_t i = 0; i < node_.s.time; ++i) {
      const bool backwards = d_ == 1 || node_.r.reversed;
      step(backwards ? node_.s.time - 1 - i : i);
    }
    for (std::int64_t l = 0; l < lines_; ++l) {
      const std::int64_t at = node_.state_at(d_, first_ + l);
      std::copy_n(h_ + l * size_, size_, node_.last_h + at);
      if (node_.last_c != nullptr) std::copy_n(c_ + l * size_, size_, node_.last_c + at);
    }
  }

 private:
  void begin(std::size_t input, float* state) const {
    for (std::int64_t l = 0; l < lines_; ++l) {
      if (node_.call.has(input))
        std::copy_n(floats(node_.call.input(input)) + node_.state_at(d_, first_ + l), size_,
                    state + l * size_);
      else
        std::fill_n(state + l * size_, size_, 0.0f);
    }
  }

  void step(std::int64_t t) {
    const bool two_walks = node_.op == Op::GRU && !node_.r.linear_before_reset;
    weights_[0].multiply(h_, lines_, sums_);
    for (std::int64_t l = 0; l < lines_; ++l) {
      const float* const x = projected_ + node_.place(t, first_ + l) * node_.rows();
      float* const sums = sums_ + l * node_.rows();
      if (node_.op == Op::LSTM) lstm(x, sums, h_ + l * size_, c_ + l * size_);
      if (node_.op == Op::RNN) rnn(x, sums, h_ + l * size_);
      if (node_.op == Op::GRU) gates(x, sums, h_ + l * size_, l);
    }
    if (two_walks) weights_[1].multiply(scratch_, lines_, c_);
    for (std::int64_t l = 0; l < lines_; ++l) {
      float* const h = h_ + l * size_;
      if (node_.op == Op::GRU) {
        const float* const x = projected_ + node_.place(t, first_ + l) * node_.rows();
        gru(x + 2 * size_, sums_ + l * node_.rows(), two_walks ? c_ + l * size_ : nullptr, h);
      }
      std::copy_n(h, size_, node_.y + node_.y_at(t, d_, first_ + l));
    }
  }

  void activate(std::size_t which, float* x) const {
    const ActivationUse& use = node_.r.activations[static_cast<std::size_t>(d_)][which];
    if (node_.r.clip > 0 && which < 2) clip_lanes(x, -node_.r.clip, node_.r.clip, size_, x);
    unary_lanes(*lanes_of(use.function), {use.alpha, use.beta, false}, x, size_, x);
  }
  void add(const float* a, const float* b, float* out) const {
    binary_lanes(Binary::add, a, 1, b, 1, size_, out);
  }
  void multiply(const float* a, const float* b, float* out) const {
    binary_lanes(Binary::mul, a, 1, b, 1, size_, out);
  }
  void add_peephole(std::int64_t gate, const float* cell, float* x) const {
    if (!node_.call.has(7)) return;
    const float* const p = floats(node_.call.input(7)) + (3 * d_ + gate) * size_;
    for (std::int64_t u = 0; u < size_; ++u) x[u] += p[u] * cell[u];
  }

  void rnn(const float* x, float* sums, float* h) const {
    add(x, sums, h);
    activate(0, h);
  }

  // Gates i, o, f, c.
  void lstm(const float* x, float* sums, float* h, float* c) const {
    float* const i = sums;
    float* const o = sums + size_;
    float* const f = sums + 2 * size_;
    float* const g = sums + 3 * size_;
    for (std::int64_t gate = 0; gate < 4; ++gate)
      add(x + gate * size_, sums + gate * size_, sums + gate * size_);
    add_peephole(0, c, i);
    activate(0, i);
    if (node_.r.input_forget) {
      const float one = 1;
      binary_lanes(Binary::sub, &one, 0, i, 1, size_, f);
    } else {
      add_peephole(2, c, f);
      activate(0, f);
    }
    activate(1, g);
    multiply(f, c, c);
    multiply(i, g, g);
    add(c, g, c);
    add_peephole(1, c, o);
    activate(0, o);
    std::copy_n(c, size_, h);
    activate(2, h);
    multiply(o, h, h);
  }

  // z and r of a GRU; of one with two walks r h for the second, else r (R h).
  void gates(const float* x, float* sums, const float* h, std::int64_t line) {
    float* const r = sums + size_;
    for (std::int64_t gate = 0; gate < 2; ++gate) {
      add(x + gate * size_, sums + gate * size_, sums + gate * size_);
      add_bias(gate, sums + gate * size_);
      activate(0, sums + gate * size_);
    }
    if (!node_.r.linear_before_reset) return multiply(r, h, scratch_ + line * size_);
    add_bias(2, sums + 2 * size_);
    multiply(r, sums + 2 * size_, sums + 2 * size_);
  }
  void add_bias(std::int64_t gate, float* x) const {
    if (!node_.r.linear_before_reset || !node_.call.has(3)) return;
    const float* const biases =
        floats(node_.call.input(3)) + 2 * d_ * node_.rows() + node_.rows() + gate * size_;
    add(x, biases, x);
  }
  void gru(const float* x, const float* sums, const float* second, float* h) {
    float* const candidate = scratch_ + lines_ * size_;
    float* const kept = candidate + lines_ * size_;
    add(x, second != nullptr ? second : sums + 2 * size_, candidate);
    activate(1, candidate);
    const float one = 1;
    binary_lanes(Binary::sub, &one, 0, sums, 1, size_, kept);
    multiply(kept, candidate, candidate);
    multiply(sums, h, h);
    add(candidate, h, h);
  }

  const Whole& node_;
  const float* projected_;
  std::vector<Panels>& weights_;
  std::int64_t d_, first_, lines_, size_;
  Scratch memory_;
  float *sums_, *h_, *c_, *scratch_;
};

// The products of the input with its weights in one direction, and what is added to them.
void project(const Whole& node, std::int64_t d, float* out, Machine& machine) {
  const std::int64_t rows = node.rows(), places = node.s.time * node.s.batch;
  const float* const w = floats(node.call.input(1)) + d * rows * node.s.input;
  const Product product{node.s.input,
                        rows,
                        {w, 1, node.s.input},
                        {{floats(node.call.input(0)), node.s.input, places, out, rows}}};
  multiply(std::span(&product, 1), machine);
  if (!node.call.has(3)) return;
  const float* const biases = floats(node.call.input(3)) + 2 * d * rows;
  for (std::int64_t i = 0; i < places; ++i) {
    binary_lanes(Binary::add, out + i * rows, 1, biases, 1, rows, out + i * rows);
    if (!node.r.linear_before_reset)
      binary_lanes(Binary::add, out + i * rows, 1, biases + rows, 1, rows, out + i * rows);
  }
}

// R of one direction; the last gate of a GRU that multiplies it with r h by itself.
std::vector<Panels> weights_of(const Whole& node, std::int64_t d, Machine& machine) {
  const std::int64_t size = node.s.hidden;
  const float* const weights = floats(node.call.input(2)) + d * node.rows() * size;
  std::vector<Panels> panels;
  panels.emplace_back(machine, PanelSource{weights, 1, size}, size, node.rows());
  if (node.op == Op::GRU && !node.r.linear_before_reset)
    panels.emplace_back(machine, PanelSource{weights + 2 * size * size, 1, size}, size, size);
  return panels;
}

}  // namespace

Result recurrent_form(const Call& call, Machine& machine) {
  const auto read = recurrence_of(call.node);
  if (!read) return Outputs();
  Recurrence r = *read;
  r.linear_before_reset = r.linear_before_reset && call.node.op == Op::GRU;
  const auto s = sizes_of(call, r);
  if (!s) return Outputs();
  const Dims all = r.batch_first ? Dims{s->batch, s->time, r.directions, s->hidden}
                                 : Dims{s->time, r.directions, s->batch, s->hidden};
  const Dims last = r.batch_first ? Dims{s->batch, r.directions, s->hidden}
                                  : Dims{r.directions, s->batch, s->hidden};
  SUBBYTE_TRY(Made y, make(call, machine, DType::float32, all));
  SUBBYTE_TRY(Made y_h, make(call, machine, DType::float32, last));
  SUBBYTE_TRY(Made y_c, make(call, machine, DType::float32, last));
  const bool lstm = call.node.op == Op::LSTM;
  const Whole node{
      call, r, *s, call.node.op, y.floats(), y_h.floats(), lstm ? y_c.floats() : nullptr};
  const std::int64_t groups = (s->batch + kTogether - 1) / kTogether;
  Scratch projected(machine, s->time * s->batch * node.rows());
  for (std::int64_t d = 0; d < r.directions; ++d) {
    project(node, d, projected.data(), machine);
    std::vector<Panels> weights = weights_of(node, d, machine);
    const double cost =
        static_cast<double>(s->time * s->batch * node.rows()) * static_cast<double>(s->hidden);
    machine.share(groups, cost, [&](std::int64_t group) {
      const std::int64_t first = group * kTogether;
      Walk(node, projected.data(), weights, d, first, std::min(kTogether, s->batch - first),
           machine)
          .run();
    });
  }
  Outputs outputs;
  outputs.push_back(std::move(y.tensor));
  outputs.push_back(std::move(y_h.tensor));
  if (lstm) outputs.push_back(std::move(y_c.tensor));
  return outputs;
}

}  // namespace subbyte::calibrate
