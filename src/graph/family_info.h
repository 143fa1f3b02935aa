// What the tables of families say of each: the rows of graph/families.def as data. The names of the
// families, Family::pool and so on, are in graph/families.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace subbyte {

inline constexpr std::uint32_t kMany = UINT32_MAX;

// Positions of inputs; the last bit is for all from 31 on.
struct InputSet {
  std::uint32_t bits = 0;
  constexpr bool contains(std::size_t i) const {
    return (bits >> std::min<std::size_t>(i, 31) & 1) != 0;
  }
};

enum class ShapeRule : std::uint8_t;
enum class DTypeSource : std::uint8_t {
  of_0,
  of_1,
  of_2,
  boolean,
  int32,
  int64,
  to,
  dtype,
  value,
  stash_type,
  output_datatype,
  unknown
};
struct RuleInfo {
  ShapeRule rule;
  InputSet typed, shaping;
  DTypeSource first, others;
};

enum class Family : std::uint8_t;
enum class Role : std::uint8_t { none, content, view, scalar, formula, place, anchor, product };
struct FamilyInfo {
  Family family;
  Role role;
  InputSet data, still;
  std::uint32_t results, own;
};

const RuleInfo& rule_info(ShapeRule rule);
const FamilyInfo& family_info(Family family);

}  // namespace subbyte
