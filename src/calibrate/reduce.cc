// Reductions of float32.
#include "reference/reduce.h"

#include <algorithm>
#include <cmath>

#include "base/scalar_math.h"
#include "calibrate/forms.h"
#include "calibrate/rows_simd.h"
#include "calibrate/strided.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

// A tensor as [outer, length, inner], of which the middle is reduced.
struct Reduction {
  std::int64_t outer = 1, length = 1, inner = 1;
};

// None where kept and reduced axes take turns more often than that.
std::optional<Reduction> reduction_of(const Dims& dims, const std::vector<bool>& reduced) {
  Reduction r;
  int part = 0;  // outer, length, inner
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis] == 1) continue;
    if (reduced[axis] != (part == 1)) ++part;
    if (part > 2) return std::nullopt;
    (part == 0 ? r.outer : part == 1 ? r.length : r.inner) *= dims[axis];
  }
  return r;
}

// The reduced axes behind the kept ones.
reference::View moved_view(const Dims& dims, const std::vector<bool>& reduced) {
  const Dims strides = reference::strides_of(dims);
  reference::View view;
  for (const bool last : {false, true}) {
    for (std::size_t axis = 0; axis < dims.size(); ++axis) {
      if (reduced[axis] != last) continue;
      view.dims.push_back(dims[axis]);
      view.strides.push_back(strides[axis]);
    }
  }
  return view;
}

// What is joined first.
Fold fold_of(Op op) {
  switch (op) {
    case Op::ReduceL1:
      return Fold::sum_of_magnitudes;
    case Op::ReduceL2:
    case Op::ReduceSumSquare:
      return Fold::sum_of_squares;
    case Op::ReduceMax:
      return Fold::greatest;
    case Op::ReduceMin:
      return Fold::least;
    default:
      return Fold::sum;
  }
}

void finish(Op op, std::int64_t length, float* values, std::int64_t count) {
  const auto divisor = static_cast<float>(std::max<std::int64_t>(length, 1));
  for (std::int64_t i = 0; i < count; ++i) {
    if (op == Op::ReduceMean) values[i] /= divisor;
    if (op == Op::ReduceL2) values[i] = std::sqrt(values[i]);
    if (op == Op::ReduceLogSum)
      values[i] = static_cast<float>(log_of(static_cast<double>(values[i])));
  }
}

float log_sum_exp(const float* x, std::int64_t length, Machine& machine) {
  const float largest = reduce_row(Fold::greatest, x, length);
  // An infinite largest element is the result; subtracting it would give a NaN.
  if (std::isinf(largest)) return largest;
  Scratch scratch(machine, length);
  const float sum = exp_row(x, largest, length, scratch.data());
  return static_cast<float>(static_cast<double>(largest) + log_of(static_cast<double>(sum)));
}

void reduce(Op op, const Reduction& r, const float* x, float* out, Machine& machine) {
  const Fold fold = fold_of(op);
  const double cost = static_cast<double>(r.outer * r.inner) * static_cast<double>(r.length) / 2;
  if (r.inner == 1) {
    // Several short rows at a time.
    const std::int64_t together =
        std::clamp<std::int64_t>(4096 / std::max<std::int64_t>(r.length, 1), 1, r.outer);
    machine.share((r.outer + together - 1) / together, cost, [&](std::int64_t task) {
      const std::int64_t end = std::min(r.outer, (task + 1) * together);
      for (std::int64_t row = task * together; row < end; ++row) {
        const float* const from = x + row * r.length;
        out[row] = op == Op::ReduceLogSumExp ? log_sum_exp(from, r.length, machine)
                                             : reduce_row(fold, from, r.length);
      }
    });
  } else {
    constexpr std::int64_t kColumns = 256;
    const std::int64_t pieces = (r.inner + kColumns - 1) / kColumns;
    machine.share(r.outer * pieces, cost, [&](std::int64_t task) {
      const std::int64_t first = task % pieces * kColumns, o = task / pieces;
      reduce_columns(fold, x + o * r.length * r.inner + first, r.length, r.inner,
                     std::min(kColumns, r.inner - first), out + o * r.inner + first);
    });
  }
  finish(op, r.length, out, r.outer * r.inner);
}

}  // namespace

Result reduce_form(const Call& call, Machine& machine) {
  const Op op = call.node.op;
  const Tensor& x = call.input(0);
  if (!is_float32(x) || op == Op::ReduceProd) return Outputs();
  SUBBYTE_TRY(const std::vector<bool> reduced, reference::reduced_axes(call));
  const bool keep = call.node.int_or("keepdims", 1) != 0;
  Dims dims;
  for (std::size_t i = 0; i < reduced.size(); ++i) {
    if (!reduced[i]) dims.push_back(x.dims[i]);
    if (reduced[i] && keep) dims.push_back(1);
  }
  SUBBYTE_TRY(Made made, make(call, machine, DType::float32, std::move(dims)));
  if (made.tensor.data.empty() || x.data.empty()) return Outputs();
  std::optional<Reduction> r = reduction_of(x.dims, reduced);
  Tensor source = x;
  // The logarithm of a sum of exponentials has a form for rows only.
  if (!r || (op == Op::ReduceLogSumExp && r->inner != 1)) {
    SUBBYTE_TRY(source,
                copy_view(call, x, moved_view(x.dims, reduced), machine).map([](Made&& moved) {
                  return std::move(moved.tensor);
                }));
    const std::int64_t outer = made.tensor.elements();
    r = Reduction{outer, x.elements() / outer, 1};
  }
  reduce(op, *r, floats(source), made.floats(), machine);
  return std::move(made).done();
}

}  // namespace subbyte::calibrate
