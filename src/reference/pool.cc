// MaxPool, AveragePool and LpPool.
#include "reference/pool.h"

#include <algorithm>

#include "base/scalar_math.h"
#include "graph/arithmetic.h"
#include "graph/infer/window.h"
#include "graph/ops.h"
#include "reference/convolution.h"

namespace subbyte::reference {
namespace {

Dims numbers(const ExprPool& exprs, const std::vector<Expr>& list) {
  Dims result;
  for (const Expr e : list) result.push_back(exprs.value(e).value_or(0));
  return result;
}

// The elements of one window that are inside the input, as offsets in one channel, and how many
// elements there are with those in the padding.
struct Covered {
  Dims offsets;
  std::int64_t with_padding = 0;
};

// Only elements inside are visited: a file may ask for a window of any size.
void cover(const PoolWindow& w, const Dims& o, Covered& covered) {
  covered.offsets.clear();
  covered.with_padding = 1;
  Dims first, count;  // elements of the window that are inside, along each axis
  for (std::size_t axis = 0; axis < o.size(); ++axis) {
    const std::int64_t start = o[axis] * w.strides[axis] - w.pads_begin[axis];
    const auto before = [&](std::int64_t end) {
      return std::clamp<std::int64_t>(ceil_div_int(end - start, w.dilations[axis]), 0,
                                      w.kernel[axis]);
    };
    first.push_back(before(0));
    count.push_back(before(w.in[axis]) - first[axis]);
    covered.with_padding =
        saturating_mul(covered.with_padding, before(w.in[axis] + w.pads_end[axis]));
  }
  for_each_coordinate(count, [&](const Dims& k) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < o.size(); ++axis) {
      const std::int64_t i = o[axis] * w.strides[axis] - w.pads_begin[axis] +
                             (first[axis] + k[axis]) * w.dilations[axis];
      offset = offset * w.in[axis] + i;
    }
    covered.offsets.push_back(offset);
  });
}

// The element after which a channel is stored, in row-major or, with storage_order 1, column-major
// order of the spatial axes.
std::int64_t stored_index(const PoolWindow& w, std::int64_t offset, bool column_major) {
  if (!column_major) return offset;
  std::int64_t index = 0, stride = product(w.in, 0, w.in.size());
  for (std::size_t axis = w.in.size(); axis-- > 0;) {
    stride /= w.in[axis];
    index += offset % w.in[axis] * stride;
    offset /= w.in[axis];
  }
  return index;
}

// The first of the greatest elements, as ONNX Runtime takes it; -1 where there is none. A NaN is
// never greater.
template <typename T>
std::int64_t greatest(const Tensor& x, std::int64_t first, const Dims& offsets) {
  std::int64_t best = -1;
  for (const std::int64_t offset : offsets) {
    if (best < 0 || widen(element<T>(x, first + offset)) > widen(element<T>(x, first + best)))
      best = offset;
  }
  return best;
}

double mean_or_norm(const Call& call, std::int64_t first, const Covered& covered) {
  const Tensor& x = call.input(0);
  const bool mean = call.node.op == Op::AveragePool;
  const auto p = static_cast<double>(call.node.int_or("p", 2));
  double sum = 0;
  with_floats(x.dtype, [&]<typename T>(T) {
    for (const std::int64_t offset : covered.offsets) {
      const double value = widen(element<T>(x, first + offset));
      sum += mean ? value : pow_of(std::fabs(value), p);
    }
  });
  if (!mean) return pow_of(sum, 1 / p);
  const bool with_padding = call.node.int_or("count_include_pad", 0) != 0;
  const auto count =
      with_padding ? covered.with_padding : static_cast<std::int64_t>(covered.offsets.size());
  return sum / static_cast<double>(count);
}

Expected<Dims> output_dims(const Call& call, const PoolWindow& w) {
  Dims dims{call.input(0).dims[0], call.input(0).dims[1]};
  dims.insert(dims.end(), w.out.begin(), w.out.end());
  SUBBYTE_CHECK_OK(output_bytes(call, call.input(0).dtype, dims));
  return dims;
}

Result max_pool(const Call& call, const PoolWindow& w) {
  const Tensor& x = call.input(0);
  SUBBYTE_TRY(const Dims dims, output_dims(call, w));
  SUBBYTE_TRY(auto values, allocate(call, x.dtype, dims));
  const bool wants_indices = call.node.outputs.size() > 1;
  std::vector<std::byte> indices;
  if (wants_indices) {
    SUBBYTE_TRY(indices, allocate(call, DType::int64, dims));
  }
  const bool column_major = call.node.int_or("storage_order", 0) != 0;
  const std::int64_t channels = product(x.dims, 0, 2), size = product(w.in, 0, w.in.size());
  const std::int64_t out_size = product(w.out, 0, w.out.size());
  const bool known = with_numbers(x.dtype, [&]<typename T>(T) {
    if (values.empty()) return;
    Covered covered;
    std::int64_t position = 0;
    for_each_coordinate(w.out, [&](const Dims& o) {
      cover(w, o, covered);
      for (std::int64_t channel = 0; channel < channels; ++channel) {
        const std::int64_t best = greatest<T>(x, channel * size, covered.offsets);
        const auto at = static_cast<std::size_t>(channel * out_size + position);
        T value{};
        if constexpr (is_float_element<T>) {
          value = narrow<T>(-std::numeric_limits<double>::infinity());
        } else {
          value = std::numeric_limits<T>::lowest();
        }
        elements_of<T>(values)[at] = best < 0 ? value : element<T>(x, channel * size + best);
        if (!wants_indices) continue;
        elements_of<std::int64_t>(indices)[at] =
            best < 0 ? -1 : channel * size + stored_index(w, best, column_major);
      }
      ++position;
    });
  });
  if (!known) return wrong_dtype(call, x.dtype);
  std::vector<Tensor> outputs;
  outputs.push_back(make_tensor(x.dtype, dims, std::move(values)));
  if (wants_indices) outputs.push_back(make_tensor(DType::int64, dims, std::move(indices)));
  return outputs;
}

}  // namespace

Expected<PoolWindow> pool_window(const Call& call) {
  ExprPool exprs;
  std::vector<Expr> input;
  for (const std::int64_t dim : call.input(0).dims) input.push_back(exprs.constant(dim));
  const auto window = window_of(exprs, call.node, input, {});
  if (!window) return within(call.node.op_type, window.error());
  PoolWindow w;
  w.in.assign(call.input(0).dims.begin() + 2, call.input(0).dims.end());
  w.kernel = numbers(exprs, window->kernel);
  w.strides = numbers(exprs, window->strides);
  w.dilations = numbers(exprs, window->dilations);
  w.pads_begin = numbers(exprs, window->pads_begin);
  w.pads_end = numbers(exprs, window->pads_end);
  w.out = numbers(exprs, window->out);
  return w;
}

Result reference_pool(const Call& call) {
  const Tensor& x = call.input(0);
  SUBBYTE_TRY(const PoolWindow w, pool_window(call));
  if (call.node.op == Op::MaxPool) return max_pool(call, w);
  if (!is_float(x.dtype)) return wrong_dtype(call, x.dtype);
  if (call.node.op == Op::LpPool && call.node.int_or("p", 2) < 1)
    return fail("{}: its p is {}; it must be at least 1", call.node.op_type,
                call.node.int_or("p", 2));
  SUBBYTE_TRY(Dims dims, output_dims(call, w));
  const std::int64_t channels = product(x.dims, 0, 2), size = product(w.in, 0, w.in.size());
  const std::int64_t out_size = product(w.out, 0, w.out.size());
  std::vector<double> values(static_cast<std::size_t>(product(dims, 0, dims.size())));
  Covered covered;
  std::int64_t position = 0;
  for_each_coordinate(values.empty() ? Dims{0} : w.out, [&](const Dims& o) {
    cover(w, o, covered);
    for (std::int64_t channel = 0; channel < channels; ++channel)
      values[static_cast<std::size_t>(channel * out_size + position)] =
          mean_or_norm(call, channel * size, covered);
    ++position;
  });
  SUBBYTE_TRY(Tensor made, make_floats(call, x.dtype, std::move(dims), values));
  return one(std::move(made));
}

}  // namespace subbyte::reference
