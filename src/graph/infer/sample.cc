// Operators that read their input at places of their own.
#include "graph/infer/node_infer.h"

namespace subbyte {

// X [batch, channels, sizes...] at the places that a grid [batch, out sizes..., axes] names.
Expected<void> infer_grid_sample(NodeInfer& c) {
  const DType dtype = c.in(0).dtype;
  c.set(0, dtype, std::nullopt);
  const Shape* x = c.shape(0);
  const Shape* grid = c.shape(1);
  if (x == nullptr || grid == nullptr) return {};
  const std::string message = fmt::format(
      "its input has shape {} and its grid {}; they must be [batch, channels, sizes...] "
      "and [batch, sizes..., as many as there are sizes]",
      c.text(*x), c.text(*grid));
  if (x->size() < 3 || grid->size() != x->size()) return fail("{}", message);
  const auto axes = static_cast<std::int64_t>(x->size() - 2);
  SUBBYTE_CHECK_OK(c.require(c.exprs.equal((*x)[0], (*grid)[0]), message));
  SUBBYTE_CHECK_OK(c.require(c.exprs.equal(grid->back(), c.exprs.constant(axes)), message));
  Shape result{(*x)[0], (*x)[1]};
  result.insert(result.end(), grid->begin() + 1, grid->end() - 1);
  c.set(0, dtype, std::move(result));
  return {};
}

// The first elements along the time axis in reverse order, as many as the length of each of the
// batch.
Expected<void> infer_reverse_sequence(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  c.set(0, c.in(0).dtype, shape == nullptr ? std::nullopt : std::optional<Shape>(*shape));
  if (shape == nullptr) return {};
  SUBBYTE_TRY(const std::size_t batch, c.axis(c.node.int_or("batch_axis", 1), shape->size()));
  SUBBYTE_TRY(const std::size_t time, c.axis(c.node.int_or("time_axis", 0), shape->size()));
  if (batch == time || batch > 1 || time > 1)
    return fail("its batch_axis is {} and its time_axis {}; one must be 0, the other 1", batch,
                time);
  if (const Shape* lengths = c.shape(1)) {
    const std::string message = fmt::format("its lengths have shape {}; it must be [{}]",
                                            c.text(*lengths), c.exprs.text((*shape)[batch]));
    if (lengths->size() != 1) return fail("{}", message);
    SUBBYTE_CHECK_OK(c.require(c.exprs.equal(lengths->front(), (*shape)[batch]), message));
  }
  return {};
}

}  // namespace subbyte
