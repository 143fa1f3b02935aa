// Rules for tensors by name, as a mixed-precision file lists them: which of those that match a
// weight is the one that is obeyed.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "quantize/assign.h"

namespace subbyte {

// True where `pattern`, in which * stands for any text and ? for any character, matches all of
// `text`.
bool matches_pattern(std::string_view pattern, std::string_view text);

// The group size and zero points that a tensor's entry asks for, of those that its width has
// (affine_encodings() in quantize/encoding.h).
struct AffineForm {
  int group = 32;
  int zero_bits = 0;
  friend bool operator==(const AffineForm&, const AffineForm&) = default;
};

struct TensorRule {
  std::string pattern;
  Precision precision{};
  std::string word;  // for the precision, as the file has it
  std::optional<AffineForm> form{};
  bool names_matrix = false;  // of the weights that it matches one is a matrix
};

// The rule that is obeyed for a weight, under all the names that it has; nullopt where none
// matches. The most specific one: a name as it stands before a pattern, then the pattern with more
// characters that are neither * nor ?, then the one with more ?. Two that are equally specific,
// match the same name and disagree are an error.
// A weight of several names is several of the source's tensors, whose numbers are the same and are
// stored once. Where rules for different ones of them disagree the most specific is obeyed, else
// the wider, and `told` gets a sentence that names both.
Expected<const TensorRule*> rule_for(std::span<const TensorRule> rules,
                                     std::span<const std::string> names,
                                     std::vector<std::string>& told);

}  // namespace subbyte
