// NodeProto to Node, but for what it takes its inputs from.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "graph/graph.h"
#include "import/onnx_wire.h"
#include "import/tensor_proto.h"

namespace subbyte {

// Builds the graph that is the value of an attribute.
using BuildSubgraph = std::function<Expected<GraphId>(const wire::AttributeProto& attribute)>;

// The attributes in the order of the file. Errors start with the attribute's name.
Expected<std::vector<Attribute>> to_attributes(const wire::NodeProto& proto, TensorSource& source,
                                               const BuildSubgraph& build_subgraph);

// A node of the operator Constant of ai.onnx.
bool is_constant_node(const wire::NodeProto& proto);
// What it holds: one attribute of value, value_float, value_floats, value_int and value_ints.
Expected<Tensor> constant_of(const wire::NodeProto& proto, TensorSource& source);

// "ai.onnx" is another name of "".
std::string_view normal_domain(std::string_view domain);

}  // namespace subbyte
