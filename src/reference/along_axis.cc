// Hardmax and LpNormalization: each row along one axis for itself.
#include "reference/call.h"

namespace subbyte::reference {
namespace {

// Calls row(first, stride, length) for each row of elements along the node's axis.
template <typename Row>
Expected<void> for_each_row(const Call& call, const Row& row) {
  const Tensor& x = call.input(0);
  if (!is_float(x.dtype)) return wrong_dtype(call, x.dtype);
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, x.dims.size()));
  const std::int64_t inner = product(x.dims, axis + 1, x.dims.size()), length = x.dims[axis];
  const std::int64_t outer = x.data.empty() ? 0 : product(x.dims, 0, axis);
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < inner; ++i) row(o * length * inner + i, inner, length);
  return {};
}

Result floats_like_input(const Call& call, std::span<const double> values) {
  SUBBYTE_TRY(Tensor made, make_floats(call, call.input(0).dtype, call.input(0).dims, values));
  return one(std::move(made));
}

}  // namespace

// 1 for the first of the greatest elements, 0 for the others.
Result reference_hardmax(const Call& call) {
  const std::vector<double> in = read_doubles(call.input(0));
  std::vector<double> values(in.size());
  SUBBYTE_CHECK_OK(
      for_each_row(call, [&](std::int64_t first, std::int64_t stride, std::int64_t length) {
        std::int64_t best = first;
        for (std::int64_t i = 1; i < length; ++i) {
          const std::int64_t at = first + i * stride;
          if (in[static_cast<std::size_t>(at)] > in[static_cast<std::size_t>(best)]) best = at;
        }
        values[static_cast<std::size_t>(best)] = 1;
      }));
  return floats_like_input(call, values);
}

// x / |x|p, and 0 where the norm is 0.
Result reference_lp_normalization(const Call& call) {
  const std::int64_t p = call.node.int_or("p", 2);
  if (p != 1 && p != 2) return fail("{}: its p is {}; it must be 1 or 2", call.node.op_type, p);
  std::vector<double> values = read_doubles(call.input(0));
  SUBBYTE_CHECK_OK(
      for_each_row(call, [&](std::int64_t first, std::int64_t stride, std::int64_t length) {
        double sum = 0;
        for (std::int64_t i = 0; i < length; ++i) {
          const double x = values[static_cast<std::size_t>(first + i * stride)];
          sum += p == 1 ? std::fabs(x) : x * x;
        }
        const double norm = p == 1 ? sum : std::sqrt(sum);
        for (std::int64_t i = 0; i < length; ++i) {
          double& x = values[static_cast<std::size_t>(first + i * stride)];
          x = norm == 0 ? 0 : x / norm;
        }
      }));
  return floats_like_input(call, values);
}

}  // namespace subbyte::reference
