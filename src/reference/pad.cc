// Pad.
#include <algorithm>

#include "base/text.h"
#include "graph/arithmetic.h"
#include "reference/convolution.h"
#include "reference/view.h"

namespace subbyte::reference {
namespace {

// The amounts before and after each axis.
struct Pads {
  Dims begin, end;
};

Expected<Pads> pads_of(const Call& call) {
  const std::size_t rank = call.input(0).dims.size();
  SUBBYTE_TRY(const Dims amounts, integer_list(call, 1));
  if (amounts.size() != 2 * rank || call.has(3))
    return fail("{}: the pads have {} elements; for all {} axes there must be {}",
                call.node.op_type, amounts.size(), rank, 2 * rank);
  const auto end = amounts.begin() + static_cast<std::ptrdiff_t>(rank);
  return Pads{{amounts.begin(), end}, {end, amounts.end()}};
}

// Where element `at` of a padded axis lies in the input; -1 for nowhere. Negative pads are taken
// off first; what is left is repeated.
std::int64_t source_of(std::string_view mode, std::int64_t at, std::int64_t begin, std::int64_t end,
                       std::int64_t size) {
  if (mode == "constant") {
    const std::int64_t from = at - begin;
    return from >= 0 && from < size ? from : -1;
  }
  const std::int64_t first = std::max<std::int64_t>(-begin, 0);
  const std::int64_t left = size - first - std::max<std::int64_t>(-end, 0);
  const std::int64_t from = at - std::max<std::int64_t>(begin, 0);
  if (mode == "edge") return first + std::clamp<std::int64_t>(from, 0, left - 1);
  if (mode == "wrap") return first + mod_int(from, left);
  const std::int64_t period = std::max<std::int64_t>(2 * (left - 1), 1);
  const std::int64_t phase = mod_int(from, period);
  return first + (left == 1 ? 0 : std::min(phase, period - phase));
}

Expected<Dims> padded_dims(const Call& call, std::string_view mode, const Pads& pads) {
  Dims dims = call.input(0).dims;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const std::int64_t size = dims[i];
    const std::int64_t taken = saturating_add(std::min<std::int64_t>(pads.begin[i], 0),
                                              std::min<std::int64_t>(pads.end[i], 0));
    dims[i] = saturating_add(size, saturating_add(pads.begin[i], pads.end[i]));
    if (dims[i] < 0 || (mode != "constant" && dims[i] > 0 && saturating_add(size, taken) < 1))
      return fail("{}: pads of {} and {} around axis {} of size {} leave nothing to fill it with",
                  call.node.op_type, pads.begin[i], pads.end[i], i, size);
  }
  return dims;
}

}  // namespace

Result reference_pad(const Call& call) {
  const Tensor& x = call.input(0);
  const std::string_view mode = call.node.string_or("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
    return fail("{}: its mode is {}; it must be constant, reflect, edge or wrap", call.node.op_type,
                quoted(mode));
  SUBBYTE_TRY(const Pads pads, pads_of(call));
  SUBBYTE_TRY(Dims dims, padded_dims(call, mode, pads));
  const std::size_t size = dtype_size(x.dtype);
  std::vector<std::byte> around(size);
  if (call.has(2)) {
    const Tensor& value = call.input(2);
    if (value.dtype != x.dtype || value.data.size() != size)
      return fail("{}: the constant value is {} of shape {}; it must be one {}", call.node.op_type,
                  dtype_name(value.dtype), dims_text(value.dims), dtype_name(x.dtype));
    around.assign(value.data.begin(), value.data.end());
  }
  SUBBYTE_TRY(auto bytes, allocate(call, x.dtype, dims));
  std::size_t place = 0;
  for_each_coordinate(dims, [&](const Dims& at) {
    std::int64_t offset = 0;
    bool inside = true;
    for (std::size_t i = 0; i < at.size(); ++i) {
      const std::int64_t from = source_of(mode, at[i], pads.begin[i], pads.end[i], x.dims[i]);
      inside = inside && from >= 0;
      offset = offset * x.dims[i] + from;
    }
    const std::byte* from =
        inside ? x.data.data() + static_cast<std::size_t>(offset) * size : around.data();
    std::memcpy(bytes.data() + place, from, size);
    place += size;
  });
  return one(make_tensor(x.dtype, std::move(dims), std::move(bytes)));
}

}  // namespace subbyte::reference
