// The plan that a module carries (docs/plan.md), evaluated at certain sizes.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace subbyte {

class PlanSizes {
 public:
  using Json = nlohmann::json;

  // `dims` by name; other symbols are as the runtime takes them for likely. Throws Json::exception
  // where the plan is not what docs/plan.md says; a name that no symbol has is an error.
  static Expected<PlanSizes> evaluate(const Json& plan,
                                      std::span<const std::pair<std::string, std::int64_t>> dims);

  // Of the expression with that index; none where it divides by 0 or leaves 64 bits.
  std::optional<std::int64_t> value(std::size_t expression) const;
  // Of the dimensions that are open.
  const std::vector<std::pair<std::string, std::int64_t>>& sizes() const { return sizes_; }

 private:
  std::vector<std::optional<std::int64_t>> values_;
  std::vector<std::pair<std::string, std::int64_t>> sizes_;
};

}  // namespace subbyte
