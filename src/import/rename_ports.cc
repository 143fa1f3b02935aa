#include "import/rename_ports.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"

namespace subbyte {
namespace {

std::vector<ValueId> ports_of(const Graph& graph) {
  std::vector<ValueId> ports = graph.inputs;
  ports.insert(ports.end(), graph.outputs.begin(), graph.outputs.end());
  return ports;
}

std::string list_of(const Graph& graph, const std::vector<ValueId>& values) {
  std::vector<std::string> names;
  names.reserve(values.size());
  for (const ValueId v : values) names.push_back(quoted(graph.values[v].name));
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

tl::unexpected<Error> no_such_port(const Model& model, const std::string& name) {
  const Graph& graph = model.main();
  std::vector<std::string> known;
  for (const ValueId v : ports_of(graph)) known.push_back(graph.values[v].name);
  const std::string near = nearest(name, known);
  return fail("--rename {}: {} has no such input or output{}; its inputs are {}, its outputs {}",
              quoted(name), quoted(model.source_name),
              near.empty() ? "" : fmt::format(" (did you mean {}?)", quoted(near)),
              list_of(graph, graph.inputs), list_of(graph, graph.outputs));
}

}  // namespace

Expected<void> rename_ports(Model& model,
                            const std::vector<std::pair<std::string, std::string>>& renames) {
  Graph& graph = model.main();
  std::map<ValueId, std::string> renamed;
  std::set<std::string> given;
  for (const auto& [before, after] : renames) {
    bool found = false;
    for (const ValueId v : ports_of(graph)) {
      if (graph.values[v].name != before) continue;
      renamed[v] = after;
      found = true;
    }
    if (!found) return no_such_port(model, before);
    if (!given.insert(after).second)
      return fail("--rename {}={}: another input or output is given that name too", before, after);
  }
  for (const Graph& other : model.graphs) {
    for (ValueId v = 0; v < other.values.size(); ++v) {
      const bool moves = &other == &graph && renamed.contains(v);
      if (moves || !given.contains(other.values[v].name)) continue;
      return fail("--rename: {} has a value {} already; choose another name",
                  quoted(model.source_name), quoted(other.values[v].name));
    }
  }
  for (auto& [v, name] : renamed) graph.values[v].name = std::move(name);
  return {};
}

}  // namespace subbyte
