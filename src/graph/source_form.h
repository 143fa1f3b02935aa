// Constants as the source has them: under the name and in the shape of its own tensor, where passes
// transposed, cast or reshaped it.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

// By value: the source's form of a constant that was folded; nullptr where it is the source's
// tensor itself, none at all, or where an earlier value has that name.
std::vector<const SourceForm*> source_forms(const Graph& graph);

// What a user calls a constant.
inline const std::string& source_name(const Value& value) {
  return value.source ? value.source->name : value.name;
}

// Axes of the constant as those of the source.
std::vector<int> source_axes(const SourceForm& source, const std::vector<int>& axes);
// Axes of the source, those of one axis of the constant together, as axes of the constant; those of
// one element that none of them is come last where `with_rest`.
std::vector<int> constant_axes(const SourceForm& source, const std::vector<int>& axes,
                               bool with_rest);

}  // namespace subbyte
