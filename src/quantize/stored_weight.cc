#include "quantize/stored_weight.h"

namespace subbyte {

std::span<const StoredWeight> members_of(const StoredWeight& stored) {
  const auto* joined = std::get_if<JoinedWeights>(&stored.source);
  return joined != nullptr ? std::span<const StoredWeight>(*joined->members)
                           : std::span(&stored, 1);
}

std::int64_t member_offset(const StoredWeight& stored, std::size_t member, RowPart part) {
  const auto members = members_of(stored);
  std::int64_t end = 0;
  for (std::size_t m = 0; m < members.size(); ++m) {
    const std::int64_t begin = aligned(end);
    if (m == member) return begin;
    end = begin + members[m].rows * (members[m].layout.*part);
  }
  return end;
}

std::int64_t part_bytes(const StoredWeight& stored, RowPart part) {
  return member_offset(stored, members_of(stored).size(), part);
}

std::int64_t stored_bytes(const StoredWeight& stored) {
  std::int64_t end = part_bytes(stored, &RowLayout::values);
  for (const RowPart part : {&RowLayout::scales, &RowLayout::zero_points})
    if (stored.layout.*part > 0) end = aligned(end) + part_bytes(stored, part);
  return end;
}

}  // namespace subbyte
