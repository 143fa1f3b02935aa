// What of a graph runs in turns. A Loop or Scan whose turns are counted when the model runs stands
// in one graph with its body: an Enter gives what goes from turn to turn, and which turn it is, and
// a Leave takes what the next turn is given, or gives it out after the last one. What depends on an
// Enter is in its body; what does not is computed once, wherever it stood.
//
// Enter: the most turns, whether there is a first one, the turn of the loop around it (each may be
// absent), then the states. It gives the states and, last, the turn, which is an expression.
// Leave: the turn of its Enter, whether another one follows (may be absent), the next states, then
// what is stacked. It gives the states after the last turn, and each of what is stacked along a new
// first axis. The attribute "states" is their number.
#pragma once

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

// A Loop or Scan of ONNX, its body in a graph of its own.
bool is_onnx_loop(const Node& node);

// An attribute of a Scan with an integer for each of `count` inputs or outputs: 0 where it is
// absent. An error where it has another length.
Expected<std::vector<std::int64_t>> scan_list(const Node& node, std::string_view name,
                                              std::size_t count);

inline constexpr std::size_t kFirstState = 3;  // of the inputs of an Enter
inline constexpr std::size_t kFirstNext = 2;   // of the inputs of a Leave

struct Loop {
  NodeId enter = kNone, leave = kNone;
  std::vector<bool> body;  // by node: it is in the body; the Leave is too

  bool contains(NodeId n) const { return body[n]; }
};

// That of one Enter; kNone is its Leave where nothing leaves it.
Loop find_loop(const Graph& graph, NodeId enter);

// In the order of their Enters, so that one comes before those in its body.
std::vector<Loop> find_loops(const Graph& graph);

// Puts what stands between an Enter and its Leave, and is not in the body, before the Enter.
void gather_loops(Graph& graph);

std::size_t states_of_leave(const Node& leave);

// How many turns there are at most, where expressions say it: 0 where there is no first one.
// `is_bounded` says whether that is a bound, and not the most that can be counted.
struct MostTurns {
  Expr turns;
  bool is_bounded = false;
};
std::optional<MostTurns> most_turns(ExprPool& exprs, const Graph& graph, const Node& enter);

}  // namespace subbyte
