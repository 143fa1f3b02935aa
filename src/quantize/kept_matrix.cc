#include "quantize/kept_matrix.h"

#include <utility>

namespace subbyte {

std::string record_of(const StoredWeight& stored) {
  RecordWriter record;
  record.number(stored.value);
  record.number(stored.rows);
  record.number(stored.k);
  record.array(stored.order.rows);
  record.array(stored.order.k);
  record.number(static_cast<std::uint64_t>(stored.encoding.index()));
  std::visit([&](const auto& encoding) { record.number(encoding); }, stored.encoding);
  record.number(static_cast<std::uint64_t>(stored.source.index()));
  if (const auto* const elements = std::get_if<ElementsOfConstant>(&stored.source))
    record.number(elements->search);
  return record.bytes();
}

std::string record_of(const WeightPlan& plan) {
  std::string all;
  for (const auto& [value, stored] : plan.stored) all += record_of(stored);
  return all;
}

void write_matrix(RecordWriter& record, const PackedMatrix& matrix) {
  record.array(matrix.values);
  record.array(matrix.scales);
  record.array(matrix.zero_points);
  record.number(matrix.distortion.signal);
  record.number(matrix.distortion.noise);
}

std::optional<PackedMatrix> read_matrix(RecordReader& record, const StoredWeight& stored) {
  PackedMatrix matrix{.encoding = stored.encoding, .rows = stored.rows, .k = stored.k};
  matrix.values = record.array<std::byte>();
  matrix.scales = record.array<std::byte>();
  matrix.zero_points = record.array<std::byte>();
  matrix.distortion.signal = record.number<double>();
  matrix.distortion.noise = record.number<double>();
  const RowLayout row = row_layout(stored.encoding, stored.k);
  const auto is_rows = [&](const std::vector<std::byte>& part, std::int64_t bytes_of_row) {
    return std::cmp_equal(part.size(), stored.rows * bytes_of_row);
  };
  if (!is_rows(matrix.values, row.values) || !is_rows(matrix.scales, row.scales) ||
      !is_rows(matrix.zero_points, row.zero_points))
    return std::nullopt;
  return matrix;
}

}  // namespace subbyte
