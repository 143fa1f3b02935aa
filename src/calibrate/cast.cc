// Cast to a float, which is float32 here; a narrow one is rounded to.
#include <cstring>

#include "calibrate/forms.h"
#include "graph/narrow_float.h"

namespace subbyte::calibrate {

Result cast_form(const Call& call, Machine&) {
  const Tensor& x = call.input(0);
  if (!is_float32(x)) return Outputs();
  const std::int64_t to = call.node.int_or("to", 0);
  if (to <= 0 || to > UINT8_MAX || !is_float(static_cast<DType>(to))) return Outputs();
  const auto dtype = static_cast<DType>(to);
  if (!is_narrow_float(dtype)) return Outputs{x};
  if (narrow_float(dtype) == nullptr) return Outputs();
  const bool saturate = call.node.int_or("saturate", 1) != 0;
  std::vector<float> values(static_cast<std::size_t>(x.elements()));
  read_floats(x, 0, x.elements(), values.data());
  for (float& value : values)
    value = narrow_to_float(dtype, float_to_narrow(dtype, value, saturate));
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return Outputs{make_tensor(DType::float32, x.dims, std::move(bytes))};
}

}  // namespace subbyte::calibrate
