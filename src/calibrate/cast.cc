// Cast to a float, which is float32 here.
#include "calibrate/forms.h"

namespace subbyte::calibrate {

Result cast_form(const Call& call, Machine&) {
  const Tensor& x = call.input(0);
  if (!is_float32(x)) return Outputs();
  const std::int64_t to = call.node.int_or("to", 0);
  if (to <= 0 || to > UINT8_MAX || !is_float(static_cast<DType>(to))) return Outputs();
  return Outputs{x};
}

}  // namespace subbyte::calibrate
