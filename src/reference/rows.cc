// Softmax and LogSoftmax, LayerNormalization and RMSNormalization, in double throughout.
#include <algorithm>

#include "base/scalar_math.h"
#include "graph/ops.h"
#include "reference/call.h"

namespace subbyte::reference {

// Along one axis (opset 13 and later). Subtracting the largest element keeps exp below 1.
Result reference_softmax(const Call& call) {
  const Tensor& input = call.input(0);
  if (!is_float(input.dtype)) return wrong_dtype(call, input.dtype);
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, input.dims.size()));
  const auto length = static_cast<std::size_t>(input.dims[axis]);
  const auto inner = static_cast<std::size_t>(product(input.dims, axis + 1, input.dims.size()));
  std::vector<double> values = read_doubles(input);
  for (std::size_t start = 0; start < values.size(); start += length * inner) {
    for (std::size_t column = start; column < start + inner; ++column) {
      const auto at = [&](std::size_t i) -> double& { return values[column + i * inner]; };
      double largest = -std::numeric_limits<double>::infinity();
      for (std::size_t i = 0; i < length; ++i) largest = std::max(largest, at(i));
      double sum = 0;
      for (std::size_t i = 0; i < length; ++i) sum += exp_of(at(i) - largest);
      for (std::size_t i = 0; i < length; ++i) {
        if (call.node.op == Op::LogSoftmax) {
          at(i) = at(i) - largest - log_of(sum);
        } else {
          at(i) = exp_of(at(i) - largest) / sum;
        }
      }
    }
  }
  SUBBYTE_TRY(Tensor output, make_floats(call, input.dtype, input.dims, values));
  return one(std::move(output));
}

// Outputs: normalised, scaled and shifted X; the mean; 1 / standard deviation. stash_type is the
// dtype of the latter two.
Result reference_layer_normalization(const Call& call) {
  const Tensor& input = call.input(0);
  if (!is_float(input.dtype)) return wrong_dtype(call, input.dtype);
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, input.dims.size()));
  const std::int64_t stash_type = call.node.int_or("stash_type", 1);
  const DType statistics_dtype =
      stash_type > 0 && stash_type <= 16 ? static_cast<DType>(stash_type) : DType::undefined;
  if (!is_float(statistics_dtype))
    return fail("{}: stash_type is {}; it must be the number of a float data type, such as 1",
                call.node.op_type, stash_type);
  const double epsilon = call.node.float_or("epsilon", 1e-5f);
  SUBBYTE_TRY(const Tensor scale_tensor, broadcast_to(call, call.input(1), input.dims));
  const std::vector<double> scale = read_doubles(scale_tensor);
  std::vector<double> bias;
  if (call.has(2)) {
    SUBBYTE_TRY(const Tensor bias_tensor, broadcast_to(call, call.input(2), input.dims));
    bias = read_doubles(bias_tensor);
  }

  const auto cols = static_cast<std::size_t>(product(input.dims, axis, input.dims.size()));
  std::vector<double> values = read_doubles(input);
  std::vector<double> means, inverse_deviations;
  for (std::size_t start = 0; start < values.size(); start += cols) {
    const std::span<double> row(values.data() + start, cols);
    double sum = 0, squares = 0;
    for (const double x : row) sum += x;
    const double mean = sum / static_cast<double>(cols);
    for (const double x : row) squares += (x - mean) * (x - mean);
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(cols) + epsilon);
    for (std::size_t i = 0; i < cols; ++i) {
      row[i] = (row[i] - mean) * inverse * scale[start + i];
      if (!bias.empty()) row[i] += bias[start + i];
    }
    means.push_back(mean);
    inverse_deviations.push_back(inverse);
  }

  std::vector<Tensor> outputs;
  SUBBYTE_TRY(Tensor normalized, make_floats(call, input.dtype, input.dims, values));
  outputs.push_back(std::move(normalized));
  if (call.node.outputs.size() > 1) {
    Dims dims = input.dims;
    std::fill(dims.begin() + static_cast<std::ptrdiff_t>(axis), dims.end(), 1);
    means.resize(static_cast<std::size_t>(product(dims, 0, dims.size())), 0);
    inverse_deviations.resize(means.size(), 1 / std::sqrt(epsilon));
    SUBBYTE_TRY(Tensor mean, make_floats(call, statistics_dtype, dims, means));
    SUBBYTE_TRY(Tensor inverse, make_floats(call, statistics_dtype, dims, inverse_deviations));
    outputs.push_back(std::move(mean));
    outputs.push_back(std::move(inverse));
  }
  return outputs;
}

// x / sqrt(mean(x^2) + epsilon) * scale. The output has the dtype of the scale.
Result reference_rms_normalization(const Call& call) {
  const Tensor& input = call.input(0);
  if (!is_float(input.dtype)) return wrong_dtype(call, input.dtype);
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, input.dims.size()));
  const double epsilon = call.node.float_or("epsilon", 1e-5f);
  SUBBYTE_TRY(const Tensor scale_tensor, broadcast_to(call, call.input(1), input.dims));
  const std::vector<double> scale = read_doubles(scale_tensor);
  const auto cols = static_cast<std::size_t>(product(input.dims, axis, input.dims.size()));
  std::vector<double> values = read_doubles(input);
  for (std::size_t start = 0; start < values.size(); start += cols) {
    double squares = 0;
    for (std::size_t i = start; i < start + cols; ++i) squares += values[i] * values[i];
    const double rms = std::sqrt(squares / static_cast<double>(cols) + epsilon);
    for (std::size_t i = start; i < start + cols; ++i) values[i] = values[i] / rms * scale[i];
  }
  SUBBYTE_TRY(Tensor output, make_floats(call, call.input(1).dtype, input.dims, values));
  return one(std::move(output));
}

}  // namespace subbyte::reference
