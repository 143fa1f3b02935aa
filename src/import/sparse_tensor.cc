#include "import/sparse_tensor.h"

#include <fmt/format.h>

#include <cstring>

#include "base/text.h"
#include "graph/arithmetic.h"

namespace subbyte {
namespace {

// What the sparse tensors of a file may take as dense ones: so many bytes, and so many for each
// that the file stores of them. A weight of which 99 % is left out grows about 33-fold, since an
// index takes 8 bytes.
constexpr std::int64_t kDenseBytes = std::int64_t{256} << 20;
constexpr std::int64_t kDenseForStored = 256;

std::size_t index_of(std::int64_t i) { return static_cast<std::size_t>(i); }

Expected<void> check_form(const wire::SparseTensorProto& proto, const Tensor& values,
                          const Tensor& indices) {
  const auto rank = static_cast<std::int64_t>(proto.dims.size());
  if (values.dims.size() != 1)
    return fail("its values have {} dims; they have one, the number of them", values.dims.size());
  if (dtype_size(values.dtype) == 0)
    return fail("its values are {}; subbyte reads sparse tensors of numbers and bools",
                dtype_name(values.dtype));
  if (indices.dtype != DType::int64)
    return fail("its indices are {}; they must be int64", dtype_name(indices.dtype));
  const std::int64_t count = values.dims[0];
  const bool flat = indices.dims.size() == 1 && indices.dims[0] == count;
  const bool by_axis =
      indices.dims.size() == 2 && indices.dims[0] == count && indices.dims[1] == rank;
  if (!flat && !by_axis)
    return fail("its indices have dims [{}]; for {} values of rank {} they are [{}] or [{}, {}]",
                fmt::join(indices.dims, ", "), count, rank, count, count, rank);
  return {};
}

// The bytes of the dense tensor, counted among those of the file.
Expected<std::int64_t> dense_bytes(const wire::SparseTensorProto& proto, const Tensor& values,
                                   const Tensor& indices, SparseBytes& all) {
  const auto elements = checked_product(proto.dims);
  const auto width = static_cast<std::int64_t>(dtype_size(values.dtype));
  if (!elements) return fail("its dims are negative or make more than 2^63 elements");
  const std::int64_t bytes = saturating_mul(*elements, width);
  all.stored = saturating_add(all.stored,
                              static_cast<std::int64_t>(values.data.size() + indices.data.size()));
  const std::int64_t most =
      saturating_add(kDenseBytes, saturating_mul(all.stored, kDenseForStored));
  all.dense = saturating_add(all.dense, bytes);
  if (all.dense > most)
    return fail(
        "with its dims [{}] the sparse tensors of the file take {} bytes when nothing is left out, "
        "and the file stores {} bytes of them; subbyte makes at most {} of these: store it as a "
        "tensor",
        fmt::join(proto.dims, ", "), all.dense, all.stored, most);
  return bytes;
}

// Where each value lies in the flattened tensor.
Expected<std::vector<std::int64_t>> places_of(const wire::SparseTensorProto& proto,
                                              const Tensor& indices, std::int64_t elements) {
  const std::vector<std::int64_t> numbers = *integer_values(indices);
  if (indices.dims.size() == 1) return numbers;
  const std::size_t rank = proto.dims.size();
  std::vector<std::int64_t> places(index_of(indices.dims[0]), 0);
  for (std::size_t i = 0; i < places.size() && elements > 0; ++i) {
    for (std::size_t axis = 0; axis < rank; ++axis) {
      const std::int64_t at = numbers[i * rank + axis];
      if (at < 0 || at >= proto.dims[axis])
        return fail("index {} is {} along axis {}; it must be in [0, {})", i, at, axis,
                    proto.dims[axis]);
      places[i] = places[i] * proto.dims[axis] + at;
    }
  }
  return places;
}

Expected<Tensor> dense_of(const wire::SparseTensorProto& proto, std::string_view what,
                          TensorSource& source) {
  SUBBYTE_TRY(const Tensor values,
              to_tensor(proto.values, fmt::format("values of {}", what), source));
  SUBBYTE_TRY(const Tensor indices,
              to_tensor(proto.indices, fmt::format("indices of {}", what), source));
  SUBBYTE_CHECK_OK(check_form(proto, values, indices));
  SUBBYTE_TRY(const std::int64_t size, dense_bytes(proto, values, indices, source.sparse));
  const std::size_t width = dtype_size(values.dtype);
  const std::int64_t elements = size / static_cast<std::int64_t>(width);
  SUBBYTE_TRY(const std::vector<std::int64_t> places, places_of(proto, indices, elements));
  std::vector<std::byte> bytes(index_of(size));
  std::int64_t before = -1;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i] < 0 || places[i] >= elements)
      return fail("index {} is {}; it must be in [0, {})", i, places[i], elements);
    if (places[i] <= before)
      return fail("index {} is not after the one before it; they must ascend, each place once", i);
    before = places[i];
    std::memcpy(bytes.data() + index_of(places[i]) * width, values.data.data() + i * width, width);
  }
  return make_tensor(values.dtype, proto.dims, std::move(bytes));
}

}  // namespace

Expected<Tensor> to_dense(const wire::SparseTensorProto& proto, std::string_view what,
                          TensorSource& source) {
  const std::string name = proto.values.name.empty()
                               ? std::string(what)
                               : fmt::format("sparse tensor {}", quoted(proto.values.name));
  auto dense = dense_of(proto, name, source);
  if (!dense) return within(name, std::move(dense.error()));
  return dense;
}

}  // namespace subbyte
