// GraphProto to Graph, with the graphs inside it.
//
// A node of a subgraph may use a value of the graph around it (ONNX IR specification, "Names Within
// a Graph"). Such a capture is a Value of the subgraph with the name of the outer value, without a
// producer, a constant or a place among the inputs. It is captured from the graph that holds the
// node, which may itself have captured it: a name always resolves one graph further out.
#pragma once

#include <string_view>

#include "base/error.h"
#include "graph/graph.h"
#include "import/onnx_wire.h"
#include "import/tensor_proto.h"

namespace subbyte {

// Subgraphs of subgraphs deeper than this are refused, so that a file cannot exhaust the stack.
inline constexpr int kDeepestSubgraph = 64;

// Appends the main graph and all its subgraphs to model.graphs, which is empty; the main graph is
// the first. Nodes come out in topological order, whatever their order in the file. `functions` are
// the model's local functions, which are written out where they are called.
Expected<void> build_graphs(std::string_view main_graph,
                            const std::vector<wire::FunctionProto>& functions, TensorSource& source,
                            Model& model);

}  // namespace subbyte
