// Ids of tokens for models of text.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calibrate/random.h"
#include "samples/input_content.h"

namespace subbyte {

// Ids for an input of those dims. Text uses few of its words often, and training leaves frequent
// ones with small rows in the table, rare ones with large rows (Schakel and Wilson 2015): of two
// drawn rows the smaller is taken, and some ids come again, as words do. Rows that are next to 0
// stand for nothing.
std::vector<std::int64_t> made_tokens(const Graph& graph, const InputContent& content,
                                      std::span<const std::int64_t> dims, Random& random);

}  // namespace subbyte
