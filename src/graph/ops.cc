#include "graph/ops.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "graph/families.h"

namespace subbyte {
namespace {

// A row whose operator has the name of one of ai.onnx puts its vendor before it.
constexpr std::string_view name_of_row(std::string_view row) {
  constexpr std::string_view kVendor = "Microsoft";
  return row.starts_with(kVendor) ? row.substr(kVendor.size()) : row;
}

constexpr OpInfo kTable[] = {
#define OP(name, domain, since, in_min, in_max, out_max, dtypes, infer, reference, lower) \
  {Op::name, name_of_row(#name), domain,           since,        in_min, in_max,          \
   out_max,  DTypeClass::dtypes, ShapeRule::infer, Family::lower},
#include "graph/ops.def"
#undef OP
};
constexpr std::size_t kCount = std::size(kTable);

struct Key {
  std::string_view domain, name;
  friend auto operator<=>(const Key&, const Key&) = default;
};

Key key_of(const OpInfo& info) { return {info.domain, info.name}; }

// Rows by (domain, name), so that a lookup does not depend on how long the table grows.
constexpr auto sorted_rows() {
  std::array<std::uint16_t, kCount> rows{};
  for (std::size_t i = 0; i < kCount; ++i) rows[i] = static_cast<std::uint16_t>(i);
  std::sort(rows.begin(), rows.end(), [](std::uint16_t a, std::uint16_t b) {
    if (kTable[a].domain != kTable[b].domain) return kTable[a].domain < kTable[b].domain;
    return kTable[a].name < kTable[b].name;
  });
  return rows;
}
constexpr auto kSorted = sorted_rows();

}  // namespace

const OpInfo& op_info(Op op) { return kTable[static_cast<std::size_t>(op) - 1]; }

const FamilyInfo& family_of(Op op) {
  return family_info(op == Op::Unknown ? Family::none : op_info(op).lower);
}

bool keeps_outputs(Op op) {
  return op == Op::Unknown || op == Op::TopK || op_info(op).outputs_max == kMany;
}

bool is_view(Op op) { return family_of(op).role == Role::view; }

bool keeps_order(Op op) { return family_of(op).family == Family::reshape; }

bool keeps_elements(Op op) { return keeps_order(op) || family_of(op).family == Family::permute; }

Op find_op(std::string_view domain, std::string_view name) {
  // What ONNX Runtime wrote for 16 and 4 bits before ONNX had them means the same.
  const bool copied =
      domain == "com.microsoft" && (name == "QuantizeLinear" || name == "DequantizeLinear");
  const Key key{domain == "ai.onnx" || copied ? std::string_view{} : domain, name};
  const auto found =
      std::lower_bound(kSorted.begin(), kSorted.end(), key,
                       [](std::uint16_t row, const Key& k) { return key_of(kTable[row]) < k; });
  if (found == kSorted.end() || key_of(kTable[*found]) != key) return Op::Unknown;
  return kTable[*found].op;
}

std::size_t op_count() { return kCount; }

}  // namespace subbyte
