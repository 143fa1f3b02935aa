// NonZero: where the elements that are not 0 lie.
#include "reference/call.h"

namespace subbyte::reference {

// [axes, elements found], in row-major order of the elements. NaN is not 0.
Result reference_nonzero(const Call& call) {
  const Tensor& x = call.input(0);
  if (x.dims.empty())
    return fail("{}: its input is a scalar, which has no axes", call.node.op_type);
  std::vector<std::int64_t> found;
  const bool known = with_elements(x.dtype, [&]<typename T>(T) {
    for (std::int64_t i = 0; i < x.elements(); ++i) {
      if (widen(element<T>(x, i)) != Computed<T>{0}) found.push_back(i);
    }
  });
  if (!known) return wrong_dtype(call, x.dtype);
  const std::size_t rank = x.dims.size(), count = found.size();
  const Dims dims{static_cast<std::int64_t>(rank), static_cast<std::int64_t>(count)};
  SUBBYTE_TRY(auto bytes, allocate(call, DType::int64, dims));
  std::int64_t* out = elements_of<std::int64_t>(bytes);
  for (std::size_t k = 0; k < count; ++k) {
    std::int64_t rest = found[k];
    for (std::size_t axis = rank; axis-- > 0; rest /= x.dims[axis])
      out[axis * count + k] = rest % x.dims[axis];
  }
  return one(make_tensor(DType::int64, dims, std::move(bytes)));
}

}  // namespace subbyte::reference
