#include "import/sort_nodes.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace subbyte {

namespace {

// Every node that is left depends on another one that is left: following them comes back somewhere.
std::vector<std::uint32_t> find_cycle(const std::vector<std::vector<std::uint32_t>>& dependencies,
                                      const std::vector<std::size_t>& waiting) {
  const auto start = std::find_if(waiting.begin(), waiting.end(), [](auto n) { return n != 0; });
  std::vector<std::uint32_t> path;
  std::vector<std::size_t> position(waiting.size(), SIZE_MAX);
  auto node = static_cast<std::uint32_t>(start - waiting.begin());
  while (position[node] == SIZE_MAX) {
    position[node] = path.size();
    path.push_back(node);
    const auto& needs = dependencies[node];
    node = *std::find_if(needs.begin(), needs.end(), [&](auto n) { return waiting[n] != 0; });
  }
  path.erase(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(position[node]));
  return path;
}

}  // namespace

NodeOrder sort_nodes(const std::vector<std::vector<std::uint32_t>>& dependencies) {
  const auto count = static_cast<std::uint32_t>(dependencies.size());
  std::vector<std::vector<std::uint32_t>> readers(count);
  std::vector<std::size_t> waiting(count);
  for (std::uint32_t node = 0; node < count; ++node) {
    waiting[node] = dependencies[node].size();
    for (const std::uint32_t needed : dependencies[node]) readers[needed].push_back(node);
  }

  // Kahn's algorithm; of the nodes that are ready the first in the file comes first.
  std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> ready;
  for (std::uint32_t node = 0; node < count; ++node) {
    if (waiting[node] == 0) ready.push(node);
  }
  NodeOrder result;
  result.order.reserve(count);
  while (!ready.empty()) {
    const std::uint32_t node = ready.top();
    ready.pop();
    result.order.push_back(node);
    for (const std::uint32_t reader : readers[node]) {
      if (--waiting[reader] == 0) ready.push(reader);
    }
  }
  if (result.order.size() != count) result.cycle = find_cycle(dependencies, waiting);
  return result;
}

}  // namespace subbyte
