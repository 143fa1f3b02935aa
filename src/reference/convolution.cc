#include "reference/convolution.h"

#include <algorithm>
#include <cmath>

#include "graph/infer/window.h"
#include "graph/node_form.h"

namespace subbyte::reference {
namespace {

// The numbers of expressions that are all constants.
Dims numbers(const ExprPool& exprs, const std::vector<Expr>& list) {
  Dims result;
  for (const Expr e : list) result.push_back(exprs.value(e).value_or(0));
  return result;
}

std::vector<Expr> sizes(ExprPool& exprs, const Dims& dims) {
  std::vector<Expr> result;
  for (const std::int64_t dim : dims) result.push_back(exprs.constant(dim));
  return result;
}

Expected<void> check_tensors(const Call& call) {
  const Tensor& input = call.input(0);
  for (std::size_t i = 1; i < call.inputs.size(); ++i) {
    if (call.has(i) && call.input(i).dtype != input.dtype)
      return fail("{}: inputs 0 and {} are {} and {}; they must have one dtype", call.node.op_type,
                  i, dtype_name(input.dtype), dtype_name(call.input(i).dtype));
  }
  if (!is_float(input.dtype)) return wrong_dtype(call, input.dtype);
  return {};
}

// Divides the channels among the groups and checks that input, weights and bias agree.
Expected<void> set_channels(const Call& call, Convolution& c) {
  const Dims& in = call.input(0).dims;
  const Dims& weights = call.input(1).dims;
  c.batch = in[0];
  c.groups = call.node.int_or("group", 1);
  if (c.groups < 1)
    return fail("{}: its group is {}; it must be at least 1", call.node.op_type, c.groups);
  c.in_channels = in[1] / c.groups;
  c.out_channels = c.transposed ? weights[1] : weights[0] / c.groups;
  const bool fits = c.transposed ? in[1] % c.groups == 0 && weights[0] == in[1]
                                 : c.in_channels * c.groups == in[1] &&
                                       weights[1] == c.in_channels && weights[0] % c.groups == 0;
  if (!fits)
    return fail("{}: the input has shape {} and the weights {}, which do not fit with group {}",
                call.node.op_type, dims_text(in), dims_text(weights), c.groups);
  std::int64_t channels = 0;
  if (__builtin_mul_overflow(c.groups, c.out_channels, &channels))
    return fail("{}: group {} times {} output channels is more than 64 bits count",
                call.node.op_type, c.groups, c.out_channels);
  if (call.has(2) && call.input(2).dims != Dims{channels})
    return fail("{}: the bias has shape {}; it must be [{}]", call.node.op_type,
                dims_text(call.input(2).dims), channels);
  return {};
}

template <typename W>
void set_window(const ExprPool& exprs, const W& window, Convolution& c) {
  c.kernel = numbers(exprs, window.kernel);
  c.strides = numbers(exprs, window.strides);
  c.dilations = numbers(exprs, window.dilations);
  c.pads_begin = numbers(exprs, window.pads_begin);
  c.out = numbers(exprs, window.out);
}

Result reference_convolution(const Call& call, bool transposed) {
  SUBBYTE_CHECK_OK(check_tensors(call));
  const DType dtype = call.input(0).dtype;
  SUBBYTE_TRY(const Convolution c, convolution_of(call, transposed));
  Dims dims{c.batch, c.groups * c.out_channels};
  dims.insert(dims.end(), c.out.begin(), c.out.end());
  const DType sums = sums_integers(call.node) ? DType::int32 : dtype;
  SUBBYTE_TRY(const std::size_t bytes, output_bytes(call, sums, dims));
  if (bytes == 0) return one(make_tensor(sums, std::move(dims), {}));
  std::vector<double> result = convolve(c, call.input(0), call.input(1));
  if (call.has(2)) {
    const std::vector<double> bias = read_doubles(call.input(2));
    const auto size = static_cast<std::size_t>(c.out_size());
    for (std::size_t i = 0; i < result.size(); ++i) result[i] += bias[i / size % bias.size()];
  }
  if (sums_integers(call.node)) {
    // Modulo 2^32, each the nearest whole number.
    std::vector<std::byte> integers(bytes);
    for (std::size_t i = 0; i < result.size(); ++i)
      elements_of<std::int32_t>(integers)[i] =
          static_cast<std::int32_t>(saturate<std::int64_t>(std::nearbyint(result[i])));
    return one(make_tensor(DType::int32, std::move(dims), std::move(integers)));
  }
  SUBBYTE_TRY(Tensor made, make_floats(call, dtype, std::move(dims), result));
  return one(std::move(made));
}

}  // namespace

Expected<Convolution> convolution_of(const Call& call, bool transposed) {
  ExprPool exprs;
  const auto input = sizes(exprs, call.input(0).dims);
  const auto weights = sizes(exprs, call.input(1).dims);
  Convolution c;
  c.transposed = transposed;
  if (weights.empty())
    return fail("{}: the weights are a scalar; they must have the rank of the input",
                call.node.op_type);
  if (transposed) {
    const auto window = transposed_window_of(exprs, call.node, input, weights);
    if (!window) return within(call.node.op_type, window.error());
    set_window(exprs, *window, c);
  } else {
    const auto window = window_of(exprs, call.node, input, weights);
    if (!window) return within(call.node.op_type, window.error());
    set_window(exprs, *window, c);
  }
  c.in.assign(call.input(0).dims.begin() + 2, call.input(0).dims.end());
  SUBBYTE_CHECK_OK(set_channels(call, c));
  return c;
}

std::int64_t Convolution::position(std::size_t axis, std::int64_t o, std::int64_t k) const {
  std::int64_t i = 0;
  if (transposed) {
    const std::int64_t from = o + pads_begin[axis] - k * dilations[axis];
    if (from < 0 || from % strides[axis] != 0) return -1;
    i = from / strides[axis];
  } else {
    i = o * strides[axis] - pads_begin[axis] + k * dilations[axis];
  }
  return i >= 0 && i < in[axis] ? i : -1;
}

std::vector<double> convolve(const Convolution& c, const Tensor& input, const Tensor& weights) {
  const std::vector<double> x = read_doubles(input), w = read_doubles(weights);
  const std::int64_t taps = c.taps(), in_size = c.in_size();
  const Dims outer{c.batch, c.groups, c.out_channels};
  // Without input channels a window of any size is nothing but its sum of 0.
  if (c.in_channels == 0)
    return std::vector<double>(static_cast<std::size_t>(product(outer, 0, 3) * c.out_size()));
  std::vector<double> result;
  for_each_coordinate(outer, [&](const Dims& channel) {
    const std::int64_t n = channel[0], g = channel[1], m = channel[2];
    for_each_coordinate(c.out, [&](const Dims& o) {
      double sum = 0;
      std::int64_t tap = 0;
      for_each_coordinate(c.kernel, [&](const Dims& k) {
        std::int64_t from = 0;
        bool inside = true;
        for (std::size_t axis = 0; axis < o.size(); ++axis) {
          const std::int64_t i = c.position(axis, o[axis], k[axis]);
          inside = inside && i >= 0;
          from = from * c.in[axis] + i;
        }
        for (std::int64_t depth = 0; inside && depth < c.in_channels; ++depth) {
          const std::int64_t source = (n * c.groups + g) * c.in_channels + depth;
          const std::int64_t row = c.transposed ? (g * c.in_channels + depth) * c.out_channels + m
                                                : (g * c.out_channels + m) * c.in_channels + depth;
          sum += x[static_cast<std::size_t>(source * in_size + from)] *
                 w[static_cast<std::size_t>(row * taps + tap)];
        }
        ++tap;
      });
      result.push_back(sum);
    });
  });
  return result;
}

Result reference_conv(const Call& call) { return reference_convolution(call, false); }
Result reference_conv_transpose(const Call& call) { return reference_convolution(call, true); }

}  // namespace subbyte::reference
