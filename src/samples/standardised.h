// What a model takes the numbers of an input to be like, by how it standardises them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

// The model computes with a chain of steps of x: features of a table less their means over their
// deviations, for example, or those of their logarithms. One chain for all of x, or one for each
// place of one axis.
struct Standardisation {
  struct Step {
    enum class Kind : std::uint8_t { affine, log, square_root };
    Kind kind = Kind::affine;
    double scale = 1, offset = 0;  // affine: scale * x + offset
  };
  using Chain = std::vector<Step>;

  std::vector<Chain> features{{}};
  std::size_t axis_from_end = 0;  // where there are several: 1 is the last axis

  // Of numbers with those means and deviations along an axis: (x - mean) / deviation.
  static Standardisation of(std::span<const double> means, std::span<const double> deviations,
                            std::size_t axis_from_end);

  // Whether it says where the numbers lie; a scale alone does not.
  bool tells() const;
  // Turns numbers as the model computes with them into those of an input of `dims`, where a scale
  // is not 0 and the result is finite.
  void undo(std::span<float> numbers, std::span<const std::int64_t> dims) const;
};

// What constants, logarithms and square roots do first to an input, joined with others, cut into
// parts or reshaped before or not, whatever else reads it: one empty chain where there is nothing.
Standardisation find_standardisation(const Model& model, const Uses& uses, ValueId input);

}  // namespace subbyte
