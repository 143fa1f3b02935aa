#include "quantize/pack_weight.h"

#include <cstring>

#include "base/text.h"
#include "quantize/arrived.h"

namespace subbyte {

Expected<PackedMatrix> pack_weight(const Model& model, const StoredWeight& stored) {
  const Value& value = model.main().values[stored.value];
  if (const auto* chosen = std::get_if<ChosenNumbers>(&stored.source)) return *chosen->matrix;
  if (std::holds_alternative<CodesOfGrid>(stored.source))
    return pack_arrived(*value.constant, stored);
  if (std::holds_alternative<IntegerEncoding>(stored.encoding)) {
    return pack_integers(*value.constant, stored.rows, stored.k, quoted(value.name));
  }
  const PackOptions options{.search = std::get<ElementsOfConstant>(stored.source).search};
  if (const auto rows = rows_in_memory(*value.constant, stored.order)) {
    return pack(*rows, stored.rows, stored.k, stored.encoding, options);
  }
  return pack(row_reader(*value.constant, stored.order), stored.rows, stored.k, stored.encoding,
              options);
}

Tensor unpacked_tensor(const PackedMatrix& matrix, const AxisOrder& order,
                       const std::vector<std::int64_t>& dims) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(matrix.rows * matrix.k) * sizeof(float));
  // Row by row: the strides of the packed matrix's axes in the source.
  std::vector<std::int64_t> strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  const auto offset = [&](const std::vector<int>& axes, std::int64_t index) {
    std::int64_t at = 0;
    for (std::size_t i = axes.size(); i-- > 0;) {
      const auto axis = static_cast<std::size_t>(axes[i]);
      at += index % dims[axis] * strides[axis];
      index /= dims[axis];
    }
    return at;
  };
  std::vector<std::int64_t> columns(static_cast<std::size_t>(matrix.k));
  for (std::int64_t k = 0; k < matrix.k; ++k)
    columns[static_cast<std::size_t>(k)] = offset(order.k, k);
  std::vector<float> row(static_cast<std::size_t>(matrix.k));
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    unpack(matrix, r, 1, row.data());
    const std::int64_t base = offset(order.rows, r);
    for (std::size_t k = 0; k < row.size(); ++k) {
      std::memcpy(bytes.data() + static_cast<std::size_t>(base + columns[k]) * sizeof(float),
                  &row[k], sizeof(float));
    }
  }
  return make_tensor(DType::float32, dims, std::move(bytes));
}

}  // namespace subbyte
