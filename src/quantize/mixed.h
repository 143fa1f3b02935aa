// The mixed-precision file of --mixed-precision-config: which width each layer, component and
// tensor gets.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "quantize/assign.h"

namespace subbyte {

// The group size and zero points that a tensor's entry asks for, of those that its width has
// (affine_encodings() in quantize/encoding.h).
struct AffineForm {
  int group = 32;
  int zero_bits = 0;
  friend bool operator==(const AffineForm&, const AffineForm&) = default;
};

// Replaces the precisions that the file speaks of; the most specific rule wins: tensor, then
// component, then layer, then what `precisions` holds before (one for each use, with `names` the
// tensors' names). A file that is not of the form, an index that stands twice or that the model has
// not, an unknown key, a pattern that matches nothing or no trained weight: each is an error that
// lists what there is. What is no trained operand no rule touches.
// Returns for each use whether a rule names it; `forms`, where it is asked for, gets the form of
// each use that has one.
Expected<std::vector<bool>> apply_mixed_precision(
    std::string_view json, std::span<const WeightUse> uses, std::span<const std::string> names,
    std::vector<Precision>& precisions, std::vector<std::optional<AffineForm>>* forms = nullptr);

// What such a file says of weights that none of its rules names, and of --precision where that is
// not given: a name of precision_names(), or "mixed"; nullopt where it says nothing, or is not of
// the form.
std::optional<std::string> precision_of_rules(std::string_view json);

// True where `pattern`, in which * stands for any text and ? for any character, matches all of
// `text`.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace subbyte
