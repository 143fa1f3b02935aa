// Sizes to run a model with where the user gives none.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "samples/input_content.h"

namespace subbyte {

// Sizes of what no input fixes.
struct SizeWishes {
  std::int64_t steps = 8;     // tokens and vectors
  std::int64_t past = 8;      // what is in a cache
  std::int64_t side = 128;    // height and width of a picture
  std::int64_t sound = 8000;  // samples
  std::int64_t frames = 128;  // of a spectrogram, or of a series
};

// A value for each symbol of the model: what is wished (1 for a batch), so that all relations hold
// that the model is known to have:
// - a dimension whose name is an expression of others ("past_sequence_length + sequence_length");
// - a mask beside a cache spans what is in the cache and what is new, whatever its length is named;
// - model.constraints, which shape inference found. Where it finds none that hold together, some
//   may be left that do not.
// `contents` is input_contents(model).
std::vector<std::int64_t> likely_sizes(const Model& model, std::span<const InputContent> contents,
                                       const SizeWishes& wishes = {});

// The symbol that is the number of steps in the model's cache; none without one.
std::optional<std::size_t> cache_length(const Model& model);

}  // namespace subbyte
