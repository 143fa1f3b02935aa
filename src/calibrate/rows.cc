// Softmax and LogSoftmax, LayerNormalization and RMSNormalization.
#include <algorithm>
#include <cmath>

#include "base/scalar_math.h"
#include "calibrate/elementwise_simd.h"
#include "calibrate/forms.h"
#include "calibrate/rows_simd.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

float log_float(float x) { return static_cast<float>(log_of(static_cast<double>(x))); }

void softmax_row(Op op, const float* x, std::int64_t length, float* out) {
  const float largest = reduce_row(Fold::greatest, x, length);
  const float sum = exp_row(x, largest, length, out);
  if (op == Op::Softmax) return divide_row(out, sum, length, out);
  shift_row(x, largest, length, out);
  shift_row(out, log_float(sum), length, out);
}

// Columns [first, first + count) of `length` rows that lie `stride` apart.
void softmax_columns(Op op, const float* x, std::int64_t length, std::int64_t stride,
                     std::int64_t count, float* out, Machine& machine) {
  Scratch scratch(machine, 2 * count);
  float* const largest = scratch.data();
  float* const sums = largest + count;
  reduce_columns(Fold::greatest, x, length, stride, count, largest);
  for (std::int64_t r = 0; r < length; ++r) {
    float* const row = out + r * stride;
    binary_lanes(Binary::sub, x + r * stride, 1, largest, 1, count, row);
    unary_lanes(Unary::exp, {}, row, count, row);
  }
  reduce_columns(Fold::sum, out, length, stride, count, sums);
  if (op == Op::LogSoftmax)
    for (std::int64_t i = 0; i < count; ++i) sums[i] = log_float(sums[i]);
  for (std::int64_t r = 0; r < length; ++r) {
    float* const row = out + r * stride;
    if (op == Op::LogSoftmax) binary_lanes(Binary::sub, x + r * stride, 1, largest, 1, count, row);
    binary_lanes(op == Op::LogSoftmax ? Binary::sub : Binary::div, row, 1, sums, 1, count, row);
  }
}

// The parameter of a normalisation, spread over the axes that are normalised together.
Expected<std::optional<Tensor>> parameter(const Call& call, std::size_t input, const Dims& inner) {
  const Tensor& tensor = call.input(input);
  bool fits = is_float32(tensor) && tensor.dims.size() <= inner.size();
  for (std::size_t i = 0; fits && i < tensor.dims.size(); ++i) {
    const std::int64_t dim = tensor.dims[tensor.dims.size() - 1 - i];
    fits = dim == 1 || dim == inner[inner.size() - 1 - i];
  }
  if (!fits) return std::optional<Tensor>();
  SUBBYTE_TRY(Tensor spread, broadcast_to(call, tensor, inner));
  return std::optional(std::move(spread));
}

// The mean and 1 / standard deviation of one row, or 0 and 1 / root mean square.
struct Statistics {
  float mean, factor;
};

Statistics statistics_of(Op op, const float* x, std::int64_t count, float epsilon) {
  const auto size = static_cast<float>(count);
  if (op == Op::RMSNormalization)
    return {0, 1 / std::sqrt(reduce_row(Fold::sum_of_squares, x, count) / size + epsilon)};
  const float mean = reduce_row(Fold::sum, x, count) / size;
  return {mean, 1 / std::sqrt(deviation_of_row(x, mean, count) / size + epsilon)};
}

// One number for each row.
Expected<Made> make_statistics(const Call& call, std::size_t axis, Machine& machine) {
  Dims dims = call.input(0).dims;
  std::fill(dims.begin() + static_cast<std::ptrdiff_t>(axis), dims.end(), 1);
  return make(call, machine, DType::float32, std::move(dims));
}

}  // namespace

Result softmax_form(const Call& call, Machine& machine) {
  const Tensor& x = call.input(0);
  if (!is_float32(x)) return Outputs();
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, x.dims.size()));
  SUBBYTE_TRY(Made made, make(call, machine, DType::float32, x.dims));
  if (made.tensor.data.empty()) return std::move(made).done();
  const std::int64_t length = x.dims[axis];
  const std::int64_t outer = reference::product(x.dims, 0, axis);
  const std::int64_t inner = reference::product(x.dims, axis + 1, x.dims.size());
  const double cost = 2 * static_cast<double>(x.elements());
  if (inner == 1) {
    machine.share(outer, cost, [&](std::int64_t row) {
      softmax_row(call.node.op, floats(x) + row * length, length, made.floats() + row * length);
    });
    return std::move(made).done();
  }
  constexpr std::int64_t kColumns = 256;
  const std::int64_t pieces = (inner + kColumns - 1) / kColumns;
  machine.share(outer * pieces, cost, [&](std::int64_t task) {
    const std::int64_t first = task % pieces * kColumns, count = std::min(kColumns, inner - first);
    const std::int64_t at = task / pieces * length * inner + first;
    softmax_columns(call.node.op, floats(x) + at, length, inner, count, made.floats() + at,
                    machine);
  });
  return std::move(made).done();
}

Result normalization_form(const Call& call, Machine& machine) {
  const Tensor& x = call.input(0);
  if (!is_float32(x)) return Outputs();
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, x.dims.size()));
  const Dims inner(x.dims.begin() + static_cast<std::ptrdiff_t>(axis), x.dims.end());
  SUBBYTE_TRY(const std::optional<Tensor> scale, parameter(call, 1, inner));
  if (!scale) return Outputs();
  std::optional<Tensor> bias;
  if (call.has(2)) {
    SUBBYTE_TRY(bias, parameter(call, 2, inner));
    if (!bias) return Outputs();
  }
  const auto epsilon = call.node.float_or("epsilon", 1e-5f);
  const std::int64_t cols = reference::product(x.dims, axis, x.dims.size());
  if (cols == 0) return Outputs();
  const std::int64_t rows = x.elements() / cols;
  SUBBYTE_TRY(Made made, make(call, machine, DType::float32, x.dims));
  SUBBYTE_TRY(Made means, make_statistics(call, axis, machine));
  SUBBYTE_TRY(Made factors, make_statistics(call, axis, machine));
  machine.share(rows, 2 * static_cast<double>(x.elements()), [&](std::int64_t row) {
    const float* const from = floats(x) + row * cols;
    const Statistics s = statistics_of(call.node.op, from, cols, epsilon);
    means.floats()[row] = s.mean;
    factors.floats()[row] = s.factor;
    normalize_row(from, s.mean, s.factor, floats(*scale), bias ? floats(*bias) : nullptr, cols,
                  made.floats() + row * cols);
  });
  Outputs outputs;
  outputs.push_back(std::move(made.tensor));
  if (call.node.outputs.size() > 1) {
    outputs.push_back(std::move(means.tensor));
    outputs.push_back(std::move(factors.tensor));
  }
  return outputs;
}

}  // namespace subbyte::calibrate
