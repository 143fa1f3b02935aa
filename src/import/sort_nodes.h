// Topological order of nodes that a file lists in any order.
#pragma once

#include <cstdint>
#include <vector>

namespace subbyte {

struct NodeOrder {
  // Every node after those that it depends on; the order of the file wherever that allows it.
  std::vector<std::uint32_t> order;
  // Where there is no such order: nodes of which each depends on the next and the last on the
  // first.
  std::vector<std::uint32_t> cycle;
};

// dependencies[i]: the nodes that node i needs, in any order, repetitions allowed.
NodeOrder sort_nodes(const std::vector<std::vector<std::uint32_t>>& dependencies);

}  // namespace subbyte
