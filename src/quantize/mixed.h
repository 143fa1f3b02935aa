// The mixed-precision file of --mixed-precision-config: which width each layer, component and
// tensor gets.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "quantize/assign.h"

namespace subbyte {

// Replaces the precisions that the file speaks of; the most specific rule wins: tensor, then
// component, then layer, then what `precisions` holds before (one for each use, with `names` the
// tensors' names). A file that is not of the form, an index that stands twice or that the model has
// not, an unknown key, a pattern that matches nothing or no trained weight: each is an error that
// lists what there is. What is no trained operand no rule touches.
// Returns for each use whether a rule names it.
Expected<std::vector<bool>> apply_mixed_precision(std::string_view json,
                                                  std::span<const WeightUse> uses,
                                                  std::span<const std::string> names,
                                                  std::vector<Precision>& precisions);

// True where `pattern`, in which * stands for any text and ? for any character, matches all of
// `text`.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace subbyte
