// What a model does with an input first, past steps that only move or rescale its numbers.
#pragma once

#include <cstddef>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

struct FirstReader {
  NodeId node = kNone;
  std::size_t operand = 0;
  // The numbers as they arrive are scale * input + offset, each the mean over the channels, where
  // the model has rescaled them by constants.
  double scale = 1, offset = 0;
  bool rescaled = false;
};

std::vector<FirstReader> first_readers(const Graph& graph, const Uses& uses, ValueId input);

}  // namespace subbyte
