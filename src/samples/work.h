// How much work a run of a model is, counted, never timed.
#pragma once

#include <cstdint>
#include <span>

#include "graph/graph.h"

namespace subbyte {

// Multiplications with an addition each in the products and convolutions of the main graph, its
// symbols at `sizes`; nodes whose shapes are not known count as none.
double multiply_adds(const Model& model, std::span<const std::int64_t> sizes);

}  // namespace subbyte
