// Which 64-bit integers may leave the 32 bits that the GPU computes with: ranges that hold for
// every run, found from shapes, contents, constants, comparisons, narrower types and positions.
// What is proved to stay within 32 bits is computed as it is; the rest is watched
// (plan/watch_code.h).
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

// No dimension of a tensor on a GPU is larger: the runtime refuses an input that has one.
inline constexpr std::int64_t kMostElements = (std::int64_t{1} << 30) - 1;

// What a proof assumes of the elements of an input, inclusive; `run` checks it.
struct InputRange {
  std::uint32_t input = 0;  // index into the graph's inputs
  std::int64_t least = 0, most = 0;
  friend bool operator==(const InputRange&, const InputRange&) = default;
};

struct IntegerRanges {
  std::vector<bool>
      watched;  // by value: int64 or uint64, computed by a node whose result may leave
  std::vector<InputRange> assumed;             // in the order of the inputs
  std::vector<Model::Constraint> constraints;  // of sizes, under which all others stay
};

// Inputs are assumed to hold 32-bit integers; where that proves more nodes, masks to be 0 or 1 and
// what a Gather reads as indices to be below its table. Where sizes bound a result (a position in a
// mask laid flat), they are checked before a run instead. Shapes and contents are inferred; the
// model gains expressions.
IntegerRanges integer_ranges(Model& model);

}  // namespace subbyte
