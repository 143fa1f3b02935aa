// LSTM, GRU and RNN.
#include "graph/infer/node_infer.h"
#include "graph/recurrence.h"

namespace subbyte {
namespace {

struct RecurrentSizes {
  Expr directions, time, batch, input, hidden;
};

// An input must have that shape; one that is absent or whose shape is not known has it.
Expected<void> check_input(NodeInfer& c, std::size_t i, const Shape& wanted) {
  const Shape* shape = c.shape(i);
  if (shape == nullptr) return {};
  const std::string message =
      fmt::format("its input {} has shape {}; it must be {}", i, c.text(*shape), c.text(wanted));
  if (shape->size() != wanted.size()) return fail("{}", message);
  for (std::size_t axis = 0; axis < wanted.size(); ++axis)
    SUBBYTE_CHECK_OK(c.require(c.exprs.equal((*shape)[axis], wanted[axis]), message));
  return {};
}

// The inputs beside X, W and R: biases, lengths, first states and peepholes.
Expected<void> check_others(NodeInfer& c, const Recurrence& r, const RecurrentSizes& s) {
  SUBBYTE_CHECK_OK(
      check_input(c, 3, {s.directions, c.exprs.mul(c.exprs.constant(2 * r.gates), s.hidden)}));
  SUBBYTE_CHECK_OK(check_input(c, 4, {s.batch}));
  const Shape state = r.batch_first ? Shape{s.batch, s.directions, s.hidden}
                                    : Shape{s.directions, s.batch, s.hidden};
  SUBBYTE_CHECK_OK(check_input(c, 5, state));
  SUBBYTE_CHECK_OK(check_input(c, 6, state));
  return check_input(c, 7, {s.directions, c.exprs.mul(c.exprs.constant(3), s.hidden)});
}

void set_outputs(NodeInfer& c, const Recurrence& r, DType dtype, const RecurrentSizes& s) {
  const Shape all = r.batch_first ? Shape{s.batch, s.time, s.directions, s.hidden}
                                  : Shape{s.time, s.directions, s.batch, s.hidden};
  const Shape last = r.batch_first ? Shape{s.batch, s.directions, s.hidden}
                                   : Shape{s.directions, s.batch, s.hidden};
  c.set(0, dtype, all);
  for (std::size_t i = 1; i < c.node.outputs.size(); ++i) c.set(i, dtype, last);
}

Expected<RecurrentSizes> sizes_of(NodeInfer& c, const Recurrence& r, const Shape& x,
                                  const Shape& weights, const Shape& hidden) {
  const auto rank_3 = [&](std::size_t i, const Shape& shape) -> Expected<void> {
    if (shape.size() == 3) return {};
    return fail("its input {} has shape {}; its rank must be 3", i, c.text(shape));
  };
  SUBBYTE_CHECK_OK(rank_3(0, x));
  SUBBYTE_CHECK_OK(rank_3(1, weights));
  SUBBYTE_CHECK_OK(rank_3(2, hidden));
  RecurrentSizes s{c.exprs.constant(r.directions), x[r.batch_first ? 1 : 0],
                   x[r.batch_first ? 0 : 1], x[2], hidden[2]};
  if (c.node.find("hidden_size") != nullptr) {
    const std::int64_t said = c.node.int_or("hidden_size", 0);
    if (said < 1) return fail("its hidden_size is {}; it must be at least 1", said);
    SUBBYTE_TRY(s.hidden,
                c.unify(hidden[2], c.exprs.constant(said),
                        fmt::format("its input 2 has shape {} and its hidden_size is {}; the last "
                                    "axis must have that size",
                                    c.text(hidden), said)));
  }
  SUBBYTE_CHECK_OK(c.require(
      c.exprs.less(c.zero(), s.hidden),
      fmt::format("its input 2 has shape {}; a state must have elements", c.text(hidden))));
  const Expr rows = c.exprs.mul(c.exprs.constant(r.gates), s.hidden);
  SUBBYTE_CHECK_OK(check_input(c, 1, {s.directions, rows, s.input}));
  SUBBYTE_CHECK_OK(check_input(c, 2, {s.directions, rows, s.hidden}));
  return s;
}

}  // namespace

// Y, the states of all times, and those of the last: Y_h and, of an LSTM, Y_c.
Expected<void> infer_recurrent(NodeInfer& c) {
  SUBBYTE_TRY(Recurrence r, recurrence_of(c.node));
  const DType dtype = c.in(0).dtype;
  for (std::size_t i = 0; i < c.node.outputs.size(); ++i) c.set(i, dtype, std::nullopt);
  const Shape* x = c.shape(0);
  const Shape* hidden = c.shape(2);
  if (x == nullptr || c.shape(1) == nullptr || hidden == nullptr) return {};
  SUBBYTE_TRY(const RecurrentSizes s, sizes_of(c, r, *x, *c.shape(1), *hidden));
  SUBBYTE_CHECK_OK(check_others(c, r, s));
  set_outputs(c, r, dtype, s);
  return {};
}

}  // namespace subbyte
