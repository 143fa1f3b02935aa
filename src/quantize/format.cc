#include "quantize/format.h"

namespace subbyte {
namespace {

std::int64_t words(std::int64_t bits) { return (bits + 31) / 32 * 4; }

RowLayout layout(const AffineEncoding& encoding, std::int64_t k) {
  const std::int64_t groups = groups_in_row(encoding, k);
  return {.values = words(k * encoding.bits),
          .scales = groups * (encoding.scale_bits / 8),
          .zero_points = (groups * encoding.zero_bits + 7) / 8};
}

RowLayout layout(const FloatEncoding& encoding, std::int64_t k) {
  return {.values = words(k * encoding.bits)};
}

RowLayout layout(const IntegerEncoding& encoding, std::int64_t k) {
  return {.values = words(k * encoding.bits)};
}

RowLayout layout(const CodebookEncoding& encoding, std::int64_t k) {
  return {.values = words(k * encoding.bits),
          .scales = groups_in_row(encoding, k) * (encoding.scale_bits / 8)};
}

}  // namespace

RowLayout row_layout(const Encoding& encoding, std::int64_t k) {
  return std::visit([k](const auto& kind) { return layout(kind, k); }, encoding);
}

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + kPartAlignment - 1) / kPartAlignment * kPartAlignment;
}

std::int64_t stored_bytes(const RowLayout& layout, std::int64_t rows) {
  std::int64_t end = rows * layout.values;
  for (const std::int64_t row : {layout.scales, layout.zero_points})
    if (row > 0) end = aligned(end) + rows * row;
  return end;
}

std::int64_t groups_in_row(const AffineEncoding& encoding, std::int64_t k) {
  return (k + encoding.group - 1) / encoding.group;
}

std::int64_t groups_in_row(const CodebookEncoding& encoding, std::int64_t k) {
  return (k + encoding.group - 1) / encoding.group;
}

int value_bits(const Encoding& encoding) {
  return std::visit([](const auto& kind) { return kind.bits; }, encoding);
}

}  // namespace subbyte
