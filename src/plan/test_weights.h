// How tests store weights: at one precision, none of them wider.
#pragma once

#include <map>
#include <string_view>

#include "quantize/stored_weight.h"
#include "quantize/uses.h"

namespace subbyte {

inline std::map<ValueId, StoredWeight> weights_stored_at(const Model& model,
                                                         std::string_view precision) {
  const auto uses = find_weight_uses(model);
  const auto assignments = assign_encodings(uses, precision_from_name(precision).value());
  std::map<ValueId, StoredWeight> stored;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const Encoding& encoding = assignments[i].encoding;
    stored.emplace(uses[i].value, StoredWeight{uses[i].value, encoding, uses[i].rows, uses[i].k,
                                               uses[i].order, row_layout(encoding, uses[i].k)});
  }
  return stored;
}

}  // namespace subbyte
