#include "calibrate/constants.h"

#include <cstdint>

#include "base/text.h"
#include "graph/ops.h"
#include "reference/call.h"

namespace subbyte::calibrate {

Tensor as_float32(Tensor tensor) {
  if (!is_float(tensor.dtype)) return tensor;
  const bool aligned = reinterpret_cast<std::uintptr_t>(tensor.data.data()) % alignof(float) == 0;
  if (tensor.dtype == DType::float32 && aligned) return tensor;
  std::vector<std::byte> bytes(static_cast<std::size_t>(tensor.elements()) * sizeof(float));
  read_floats(tensor, 0, tensor.elements(), reinterpret_cast<float*>(bytes.data()));
  return make_tensor(DType::float32, std::move(tensor.dims), std::move(bytes));
}

bool reads_any_dtype(const Node& node, std::size_t i) { return node.op == Op::Gather && i == 0; }

Expected<const Tensor*> Constants::find(ValueId value, bool any_dtype) {
  const Tensor* const own = graph_.constant(value);
  if (own == nullptr) return nullptr;
  const auto [found, first] = ready_.try_emplace(value);
  Ready& ready = found->second;
  if (first && replace_ && is_float(own->dtype)) {
    SUBBYTE_TRY(std::optional<Tensor> replaced, replace_(value));
    if (replaced && (replaced->dims != own->dims || !is_float(replaced->dtype)))
      return fail(
          "the constant {} of shape {} is replaced by {} of shape {}; it must be floats of "
          "that shape",
          quoted(graph_.values[value].name), reference::dims_text(own->dims),
          dtype_name(replaced->dtype), reference::dims_text(replaced->dims));
    if (replaced) ready.replaced = as_float32(std::move(*replaced));
  }
  if (ready.replaced) return &*ready.replaced;
  if (any_dtype) return own;
  if (!ready.converted) ready.converted = as_float32(*own);
  return &*ready.converted;
}

}  // namespace subbyte::calibrate
