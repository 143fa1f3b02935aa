// Operators that treat each channel (axis 1) for itself, or all channels of a place together:
// normalisations and pools over whole images. All compute in double.
#include <algorithm>

#include "base/scalar_math.h"
#include "graph/ops.h"
#include "reference/call.h"
#include "reference/view.h"

namespace subbyte::reference {
namespace {

std::int64_t channels_of(const Tensor& x) { return x.dims.size() < 2 ? 1 : x.dims[1]; }

// Elements of one channel of one image.
std::int64_t image_size(const Tensor& x) { return product(x.dims, 2, x.dims.size()); }

Expected<void> check_float(const Call& call, std::size_t least_rank) {
  const Tensor& x = call.input(0);
  if (!is_float(x.dtype)) return wrong_dtype(call, x.dtype);
  if (x.dims.size() < least_rank)
    return fail("{}: the input has shape {}; its rank must be at least {}", call.node.op_type,
                dims_text(x.dims), least_rank);
  return {};
}

// Input i as double: a vector of `length` floats.
Expected<std::vector<double>> vector_of(const Call& call, std::size_t i, std::int64_t length) {
  const Tensor& tensor = call.input(i);
  if (!is_float(tensor.dtype) || tensor.dims != Dims{length})
    return fail("{}: input {} is {} of shape {}; it must be floats of shape [{}]",
                call.node.op_type, i, dtype_name(tensor.dtype), dims_text(tensor.dims), length);
  return read_doubles(tensor);
}

Result floats_like_input(const Call& call, std::span<const double> values) {
  SUBBYTE_TRY(Tensor made, make_floats(call, call.input(0).dtype, call.input(0).dims, values));
  return one(std::move(made));
}

// Subtracts its group's mean from each element and divides by sqrt(variance + epsilon) + extra.
// group(i) is that of element i.
template <typename Group>
void standardize(std::vector<double>& values, std::int64_t groups, const Group& group,
                 double epsilon, double extra = 0) {
  // There may be very many groups of nothing.
  const auto count = static_cast<std::size_t>(values.empty() ? 0 : groups);
  std::vector<double> sizes(count), means(count), variances(count);
  for (std::size_t i = 0; i < values.size(); ++i) {
    sizes[group(i)] += 1;
    means[group(i)] += values[i];
  }
  for (std::size_t g = 0; g < count; ++g) means[g] /= sizes[g];
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] -= means[group(i)];
    variances[group(i)] += values[i] * values[i] / sizes[group(i)];
  }
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] /= std::sqrt(variances[group(i)] + epsilon) + extra;
}

// value * scale + bias with those of its channel.
void scale_channels(std::vector<double>& values, std::int64_t image,
                    const std::vector<double>& scale, const std::vector<double>& bias) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t c = i / static_cast<std::size_t>(image) % scale.size();
    values[i] = values[i] * scale[c] + bias[c];
  }
}

}  // namespace

// With the statistics that training has left; ONNX's training mode is not computed.
Result reference_batch_normalization(const Call& call) {
  const Tensor& x = call.input(0);
  SUBBYTE_CHECK_OK(check_float(call, 1));
  if (call.node.int_or("training_mode", 0) != 0)
    return fail("{}: its training_mode is 1; it must be 0", call.node.op_type);
  const std::int64_t channels = channels_of(x);
  SUBBYTE_TRY(const auto scale, vector_of(call, 1, channels));
  SUBBYTE_TRY(const auto bias, vector_of(call, 2, channels));
  SUBBYTE_TRY(const auto mean, vector_of(call, 3, channels));
  SUBBYTE_TRY(const auto variance, vector_of(call, 4, channels));
  const double epsilon = call.node.float_or("epsilon", 1e-5f);
  std::vector<double> values = read_doubles(x);
  const auto image = static_cast<std::size_t>(image_size(x));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t c = i / image % scale.size();
    values[i] = (values[i] - mean[c]) / std::sqrt(variance[c] + epsilon) * scale[c] + bias[c];
  }
  SUBBYTE_TRY(auto results, floats_like_input(call, values));
  // What older versions give besides, when training, nothing may read.
  results.resize(std::max<std::size_t>(1, call.node.outputs.size()));
  return results;
}

Result reference_instance_normalization(const Call& call) {
  const Tensor& x = call.input(0);
  SUBBYTE_CHECK_OK(check_float(call, 3));
  SUBBYTE_TRY(const auto scale, vector_of(call, 1, x.dims[1]));
  SUBBYTE_TRY(const auto bias, vector_of(call, 2, x.dims[1]));
  std::vector<double> values = read_doubles(x);
  const auto image = static_cast<std::size_t>(image_size(x));
  standardize(
      values, product(x.dims, 0, 2), [&](std::size_t i) { return i / image; },
      call.node.float_or("epsilon", 1e-5f));
  scale_channels(values, image_size(x), scale, bias);
  return floats_like_input(call, values);
}

// Scale and bias have one element for each channel or, before opset 21, for each group.
Result reference_group_normalization(const Call& call) {
  const Tensor& x = call.input(0);
  SUBBYTE_CHECK_OK(check_float(call, 3));
  const std::int64_t groups = call.node.int_or("num_groups", 0), channels = x.dims[1];
  if (groups < 1 || channels % groups != 0)
    return fail("{}: its num_groups is {}, which does not divide {} channels", call.node.op_type,
                groups, channels);
  const std::int64_t per_group = channels / groups;
  const bool by_group = call.input(1).dims == Dims{groups};
  SUBBYTE_TRY(const auto scale, vector_of(call, 1, by_group ? groups : channels));
  SUBBYTE_TRY(const auto bias, vector_of(call, 2, by_group ? groups : channels));
  std::vector<double> values = read_doubles(x);
  const std::int64_t size = image_size(x) * per_group;
  standardize(
      values, x.dims[0] * groups, [&](std::size_t i) { return i / static_cast<std::size_t>(size); },
      call.node.float_or("epsilon", 1e-5f));
  scale_channels(values, by_group ? size : image_size(x), scale, bias);
  return floats_like_input(call, values);
}

Result reference_mean_variance_normalization(const Call& call) {
  const Tensor& x = call.input(0);
  SUBBYTE_CHECK_OK(check_float(call, 0));
  const Dims otherwise{0, 2, 3};
  SUBBYTE_TRY(const auto axes,
              checked_axes(call, call.node.ints("axes").value_or(otherwise), x.dims.size()));
  Dims kept = x.dims;
  for (const std::size_t axis : axes) kept[axis] = 1;
  const Dims strides = strides_of(x.dims), kept_strides = strides_of(kept);
  std::vector<double> values = read_doubles(x);
  const auto group = [&](std::size_t i) {
    std::int64_t index = 0;
    for (std::size_t axis = 0; axis < kept.size(); ++axis)
      if (kept[axis] != 1)
        index += static_cast<std::int64_t>(i) / strides[axis] % kept[axis] * kept_strides[axis];
    return static_cast<std::size_t>(index);
  };
  // ONNX's definition of the operator adds this where others have their epsilon.
  standardize(values, values.empty() ? 0 : product(kept, 0, kept.size()), group, 0, 1e-9);
  return floats_like_input(call, values);
}

// x / (bias + alpha / size * sum of the squares of the neighbouring channels) ^ beta
Result reference_lrn(const Call& call) {
  const Tensor& x = call.input(0);
  SUBBYTE_CHECK_OK(check_float(call, 2));
  const std::int64_t size = call.node.int_or("size", 0), channels = x.dims[1];
  if (size < 1) return fail("{}: its size is {}; it must be at least 1", call.node.op_type, size);
  const double alpha = call.node.float_or("alpha", 1e-4f), beta = call.node.float_or("beta", 0.75f);
  const double bias = call.node.float_or("bias", 1.0f);
  const std::vector<double> in = read_doubles(x);
  std::vector<double> values = in;
  const std::int64_t image = image_size(x), before = (size - 1) / 2, after = size - 1 - before;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const auto place = static_cast<std::int64_t>(i);
    const std::int64_t c = place / image % channels;
    double sum = 0;
    for (std::int64_t d = -std::min(before, c); d <= std::min(after, channels - 1 - c); ++d) {
      const double neighbour = in[static_cast<std::size_t>(place + d * image)];
      sum += neighbour * neighbour;
    }
    values[i] /= pow_of(bias + alpha / static_cast<double>(size) * sum, beta);
  }
  return floats_like_input(call, values);
}

// Mean, maximum or p-norm of each channel of each image; the spatial axes remain as 1.
Result reference_global_pool(const Call& call) {
  const Tensor& x = call.input(0);
  const Op op = call.node.op;
  SUBBYTE_CHECK_OK(check_float(call, 2));
  const std::int64_t p = call.node.int_or("p", 2);
  if (op == Op::GlobalLpPool && p < 1)
    return fail("{}: its p is {}; it must be at least 1", call.node.op_type, p);
  Dims dims = x.dims;
  std::fill(dims.begin() + 2, dims.end(), 1);
  SUBBYTE_CHECK_OK(output_bytes(call, x.dtype, dims));
  const std::vector<double> in = read_doubles(x);
  const auto image = static_cast<std::size_t>(image_size(x));
  std::vector<double> values(
      static_cast<std::size_t>(product(dims, 0, dims.size())),
      op == Op::GlobalMaxPool ? -std::numeric_limits<double>::infinity() : 0.0);
  for (std::size_t i = 0; i < in.size(); ++i) {
    double& value = values[i / image];
    if (op == Op::GlobalMaxPool) {
      value = std::isnan(value) || in[i] <= value ? value : in[i];
    } else {
      value +=
          op == Op::GlobalAveragePool ? in[i] : pow_of(std::fabs(in[i]), static_cast<double>(p));
    }
  }
  for (double& value : values) {
    if (op == Op::GlobalAveragePool) value /= static_cast<double>(image);
    if (op == Op::GlobalLpPool) value = pow_of(value, 1 / static_cast<double>(p));
  }
  SUBBYTE_TRY(Tensor made, make_floats(call, x.dtype, std::move(dims), values));
  return one(std::move(made));
}

}  // namespace subbyte::reference
