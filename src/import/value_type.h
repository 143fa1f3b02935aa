// Types of graph inputs: dtype and dimensions as expressions.
#pragma once

#include <string>
#include <unordered_set>

#include "base/error.h"
#include "graph/graph.h"
#include "import/onnx_wire.h"

namespace subbyte {

// "input 'x'" or "output 'y'": an error unless its type is a tensor of a dtype that subbyte reads.
Expected<DType> tensor_dtype(const wire::TypeProto& type, std::string_view what);

// Whether a value of a graph in a node may have that type and be no tensor: what carries tensors.
bool carries_tensors(const wire::TypeProto& type);

// All dim_params of the inputs that are names, which symbols that import makes up must not be named
// as.
std::unordered_set<std::string> dim_params(const std::vector<wire::ValueInfoProto>& inputs);

// The shape of input number `index` of the main graph. A dim_value of at least 0 is a constant, a
// dim_param the symbol of that name, and anything else ("?", nothing, a number in text) a symbol of
// its own, "NAME.AXIS". An input without a shape is an error.
Expected<std::vector<Expr>> input_shape(const wire::ValueInfoProto& input, std::uint32_t index,
                                        const std::unordered_set<std::string>& taken,
                                        ExprPool& exprs);

// The declared shape of an input of a subgraph where it is all constants, else nullopt: its
// dim_params are no dimensions of the model's inputs, so nothing would ever give them a value.
std::optional<std::vector<Expr>> constant_shape(const wire::TypeProto& type, ExprPool& exprs);

}  // namespace subbyte
