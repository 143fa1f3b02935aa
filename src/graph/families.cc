#include "graph/families.h"

namespace subbyte {
namespace {

constexpr InputSet all{UINT32_MAX};
constexpr InputSet nothing{0};
constexpr InputSet only(auto... a) { return {((1u << a) | ...)}; }
constexpr InputSet from(std::uint32_t first) { return {UINT32_MAX << first}; }

constexpr RuleInfo kRules[] = {
#define RULE(name, typed, shaping, first, others) \
  {ShapeRule::name, typed, shaping, DTypeSource::first, DTypeSource::others},
#include "graph/families.def"
};

constexpr FamilyInfo kFamilies[] = {
#define FAMILY(name, role, data, still, results, own) \
  {Family::name, Role::role, data, still, results, own},
#include "graph/families.def"
};

// A kernel must know how to write all that its operators give.
constexpr bool families_write_all_outputs() {
  bool all_written = true;
#define OP(name, domain, since, in_min, in_max, out_max, dtypes, infer, reference, lower) \
  all_written &= (out_max) <= kFamilies[static_cast<std::size_t>(Family::lower)].results;
#include "graph/ops.def"
#undef OP
  return all_written;
}
static_assert(families_write_all_outputs());

}  // namespace

const RuleInfo& rule_info(ShapeRule rule) { return kRules[static_cast<std::size_t>(rule)]; }
const FamilyInfo& family_info(Family family) { return kFamilies[static_cast<std::size_t>(family)]; }

}  // namespace subbyte
