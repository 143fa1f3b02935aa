// What is in the graph of a node's attribute (a branch, the body of a loop) comes into the graph
// around it: shared by inline_branches and unroll_loops.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

class BodySplicer {
 public:
  // `separator` stands between a name that is taken and the number that tells a new value apart,
  // which counts from `first` on. What the graph has now is what bodies may capture.
  BodySplicer(Graph& graph, std::string separator, int first);

  // Under its name, or one that nothing has.
  ValueId add_value(Value value);
  bool has_name(const std::string& name) const { return names_.contains(name); }
  // The value of that name in the graph around; kNone where there is none.
  ValueId captured(const std::string& name) const;

  // Appends the nodes of `body`, each of whose values is `moved` in the graph. Returns what its
  // outputs are.
  std::vector<ValueId> append(const Graph& body, const std::vector<ValueId>& moved);

 private:
  Graph& graph_;
  std::string separator_;
  int first_;
  std::unordered_set<std::string> names_;
  std::unordered_map<std::string, int> next_;
  std::unordered_map<std::string, ValueId> ids_;
};

// How many read a value of a graph. A graph inside of it that takes the value by its name is one.
std::size_t count_readers(const Model& model, const Graph& graph, ValueId value);

// A value of a body that the graph around it gives: neither an input of the body, nor a constant,
// nor computed in it.
bool is_captured(const Value& value);

}  // namespace subbyte
