// Gradients of reductions.
#include "reference/reduce.h"

#include "base/scalar_math.h"
#include "calibrate/gradient/gradient.h"
#include "calibrate/strided.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

// dy/dx of y, the reduction of so many elements of which x is one. Of several that are the greatest
// each counts.
float slope(Op op, float x, float y, float count) {
  switch (op) {
    case Op::ReduceL1:
      return x > 0 ? 1 : x < 0 ? -1 : 0;
    case Op::ReduceL2:
      return y > 0 ? x / y : 0;
    case Op::ReduceLogSum:
      return static_cast<float>(exp_of(-static_cast<double>(y)));
    case Op::ReduceLogSumExp:
      return static_cast<float>(exp_of(static_cast<double>(x) - static_cast<double>(y)));
    case Op::ReduceMax:
    case Op::ReduceMin:
      return x == y ? 1 : 0;
    case Op::ReduceMean:
      return 1 / count;
    case Op::ReduceSumSquare:
      return 2 * x;
    default:
      return 1;
  }
}

}  // namespace

Expected<void> reduce_gradient(const GradientCall& call, Machine& machine) {
  const Tensor& x = call.input(0);
  SUBBYTE_TRY(const std::vector<bool> reduced, reference::reduced_axes(call.call()));
  Dims kept = x.dims;
  std::int64_t count = 1;
  for (std::size_t axis = 0; axis < kept.size(); ++axis) {
    if (!reduced[axis]) continue;
    count *= kept[axis];
    kept[axis] = 1;
  }
  if (x.data.empty()) return {};
  const Walk walk =
      make_walk(x.dims, {broadcast_strides(kept, x.dims), reference::strides_of(x.dims)});
  const float* const from = floats(x);
  const float* const y = floats(*call.outputs[0]);
  for_pieces(walk, 2, machine,
             [&](std::span<const std::int64_t> at, std::int64_t first, std::int64_t size) {
               for (std::int64_t i = 0; i < size; ++i) {
                 const std::int64_t to = at[0] + i * walk.step(0);
                 call.into[0][first + i] +=
                     call.lost[0][to] *
                     slope(call.node.op, from[first + i], y[to], static_cast<float>(count));
               }
             });
  return {};
}

}  // namespace subbyte::calibrate
