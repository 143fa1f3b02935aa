// Gradients of Softmax and LogSoftmax, LayerNormalization and RMSNormalization.
#include <cmath>

#include "base/scalar_math.h"
#include "calibrate/gradient/gradient.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

// Elements `step` apart.
void softmax_line(Op op, const float* y, const float* lost, std::int64_t length, std::int64_t step,
                  float* into) {
  double sum = 0;
  for (std::int64_t i = 0; i < length * step; i += step)
    sum += op == Op::Softmax ? static_cast<double>(lost[i]) * static_cast<double>(y[i])
                             : static_cast<double>(lost[i]);
  const auto mean = static_cast<float>(sum);
  for (std::int64_t i = 0; i < length * step; i += step) {
    into[i] += op == Op::Softmax
                   ? y[i] * (lost[i] - mean)
                   : lost[i] - mean * static_cast<float>(exp_of(static_cast<double>(y[i])));
  }
}

// A row x, normalised to n = (x - mean) * factor.
struct Row {
  double mean = 0, factor = 1;
};

Row normalised(Op op, const float* x, std::int64_t count, double epsilon) {
  Row row;
  const auto size = static_cast<double>(count);
  if (op == Op::LayerNormalization) {
    for (std::int64_t i = 0; i < count; ++i) row.mean += static_cast<double>(x[i]);
    row.mean /= size;
  }
  double squares = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double d = static_cast<double>(x[i]) - row.mean;
    squares += d * d;
  }
  row.factor = 1 / std::sqrt(squares / size + epsilon);
  return row;
}

// dx = factor (s - mean(s) - n mean(s n)) for s = scale * lost; without the first mean in an RMS.
void add_to_row(Op op, const Row& row, const float* x, const float* scale, const float* lost,
                std::int64_t count, float* into) {
  double sum = 0, along = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double s = static_cast<double>(scale[i]) * static_cast<double>(lost[i]);
    sum += s;
    along += s * (static_cast<double>(x[i]) - row.mean) * row.factor;
  }
  sum = op == Op::LayerNormalization ? sum / static_cast<double>(count) : 0;
  along /= static_cast<double>(count);
  for (std::int64_t i = 0; i < count; ++i) {
    const double s = static_cast<double>(scale[i]) * static_cast<double>(lost[i]);
    const double n = (static_cast<double>(x[i]) - row.mean) * row.factor;
    into[i] += static_cast<float>(row.factor * (s - sum - n * along));
  }
}

}  // namespace

Expected<void> softmax_gradient(const GradientCall& call, Machine& machine) {
  const Dims& dims = call.input(0).dims;
  SUBBYTE_TRY(const std::size_t axis, axis_of(call.call(), dims.size()));
  const std::int64_t length = dims[axis];
  const std::int64_t inner = reference::product(dims, axis + 1, dims.size());
  const std::int64_t lines = reference::product(dims, 0, axis) * inner;
  machine.share(lines, 2 * static_cast<double>(lines * length), [&](std::int64_t line) {
    const std::int64_t at = line / inner * length * inner + line % inner;
    softmax_line(call.node.op, floats(*call.outputs[0]) + at, call.lost[0] + at, length, inner,
                 call.into[0] + at);
  });
  return {};
}

Expected<void> normalization_gradient(const GradientCall& call, Machine& machine) {
  const Tensor& x = call.input(0);
  SUBBYTE_TRY(const std::size_t axis, axis_of(call.call(), x.dims.size()));
  const std::int64_t count = reference::product(x.dims, axis, x.dims.size());
  for (const std::size_t parameter : {std::size_t{1}, std::size_t{2}})
    if (call.has(parameter) && call.input(parameter).elements() != count)
      return fail("parameters that are spread over what is normalised have no gradient here");
  for (std::size_t output = 1; output < call.lost.size(); ++output)
    if (call.lost[output] != nullptr) return fail("the mean and deviation have no gradient here");
  if (count == 0 || x.data.empty()) return {};
  const std::int64_t rows = x.elements() / count;
  const auto epsilon = static_cast<double>(call.node.float_or("epsilon", 1e-5f));
  const float* const scale = floats(call.input(1));
  std::vector<Row> found(static_cast<std::size_t>(rows));
  machine.share(rows, 4 * static_cast<double>(x.elements()), [&](std::int64_t r) {
    Row& row = found[static_cast<std::size_t>(r)];
    row = normalised(call.node.op, floats(x) + r * count, count, epsilon);
    if (call.wants(0))
      add_to_row(call.node.op, row, floats(x) + r * count, scale, call.lost[0] + r * count, count,
                 call.into[0] + r * count);
  });
  for (std::int64_t r = 0; r < rows; ++r) {
    const Row& row = found[static_cast<std::size_t>(r)];
    for (std::int64_t i = 0; i < count; ++i) {
      const float lost = call.lost[0][r * count + i];
      const double n = (static_cast<double>(floats(x)[r * count + i]) - row.mean) * row.factor;
      if (call.wants(1)) call.into[1][i] += lost * static_cast<float>(n);
      if (call.wants(2)) call.into[2][i] += lost;
    }
  }
  return {};
}

}  // namespace subbyte::calibrate
