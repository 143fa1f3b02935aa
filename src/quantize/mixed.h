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
#include "quantize/tensor_rules.h"

namespace subbyte {

// Replaces the precisions that the file speaks of; the most specific rule wins: tensor, then
// component, then layer, then what `precisions` holds before (one for each use, with `names` the
// tensors' names); among those for tensors as tensor_rules.h says. A file that is not of the form,
// an index that stands twice or that the model has not, an unknown key, a pattern that matches
// nothing or no trained weight: each is an error that lists what there is. What is no trained
// operand no rule touches. `forms`, where it is asked for, gets the form of each use that has one.
struct AppliedRules {
  std::vector<bool> named;  // for each use whether a rule names it
  // Whether one asks for that width even of what is no matrix: by its name, or by a pattern that
  // matches no matrix. Any other narrow rule is for matrices, and of what it matches beside them a
  // sentence is told.
  std::vector<bool> as_it_stands;
  std::vector<std::string> told;  // sentences on rules that cannot all be obeyed
};
Expected<AppliedRules> apply_mixed_precision(
    std::string_view json, std::span<const WeightUse> uses, std::span<const std::string> names,
    std::vector<Precision>& precisions, std::vector<std::optional<AffineForm>>* forms = nullptr);

// What such a file says of weights that none of its rules names, and of --precision where that is
// not given: a name of precision_names(), or "mixed"; nullopt where it says nothing, or is not of
// the form.
std::optional<std::string> precision_of_rules(std::string_view json);

}  // namespace subbyte
