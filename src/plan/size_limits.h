// Conditions on sizes that are the limit of one of them, told as that.
#pragma once

#include <cstdint>
#include <optional>

#include "graph/graph.h"

namespace subbyte {

// A dimension of an input, by its symbol, and the largest size with which the condition holds: it
// holds with every size up to that and with none beyond.
struct SizeLimit {
  std::size_t symbol = 0;
  std::int64_t most = 0;
};
// None where the condition depends on other sizes too, or is no such limit.
std::optional<SizeLimit> size_limit(const ExprPool& exprs, Expr condition);

// Puts "sequence may be at most 512" before the message of each constraint that is one.
void tell_size_limits(Model& model);

}  // namespace subbyte
