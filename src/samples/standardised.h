// What a model takes the numbers of an input to be like, by how it standardises them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

// The model computes with scale * x + offset: features of a table less their means over their
// deviations, for example. One number each for all of x, or for each place of one axis.
struct Standardisation {
  std::vector<double> scale{1}, offset{0};
  std::size_t axis_from_end = 0;  // where there are several: 1 is the last axis

  // Turns numbers as the model computes with them into those of an input of `dims`, where a scale
  // is not 0 and the result is finite.
  void undo(std::span<float> numbers, std::span<const std::int64_t> dims) const;
};

// What constants do first to an input, whatever else reads it: {1}, {0} where there is nothing.
Standardisation find_standardisation(const Graph& graph, const Uses& uses, ValueId input);

}  // namespace subbyte
