// What the outputs of a model say, which decides how a loss is judged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

enum class Says : std::uint8_t {
  numbers,        // embeddings, boxes, images, caches: judged by their error
  distribution,   // probabilities along an axis (or their logarithms): judged by what is decided
  logits,         // what a softmax would make probabilities of, as far as can be told
  probabilities,  // of each element on its own
};

struct OutputContent {
  Says says = Says::numbers;
  std::size_t axis = 0;       // of a distribution or of logits
  bool is_logarithm = false;  // of a distribution
  // A cache of a language model, which the next run reads: what is lost of it shows in what the
  // model says after it.
  bool is_cache = false;
};

// One for each output of the main graph, in their order. By the operator that computes an output,
// past those that only move its numbers: a softmax, a sigmoid, or a product with trained weights
// whose output has a name that says so, is as wide as a table of tokens, or is one row a sample.
std::vector<OutputContent> output_contents(const Model& model);

}  // namespace subbyte
