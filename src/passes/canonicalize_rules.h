// The rules of canonicalize: each brings the nodes of one graph from an older operator set to the
// form of opset 18. `opset` is the model's; rules look only at nodes of ai.onnx.
#pragma once

#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// Adds constants under names that the graph does not have yet.
class ConstantMaker {
 public:
  ConstantMaker(ExprPool& exprs, Graph& graph);

  // An int64 vector, named after the node's output ("y_axes").
  ValueId add_int64s(const Node& node, std::string_view what, std::span<const std::int64_t> values);
  ValueId add(const Node& node, std::string_view what, Tensor tensor);
  // A value without a producer or constant, for the output of a node that a rule adds.
  ValueId add_value(const Node& node, std::string_view what);

 private:
  std::string unique_name(const Node& node, std::string_view what);

  ExprPool& exprs_;
  Graph& graph_;
  std::unordered_set<std::string> names_;  // all of the graph's, once one is looked for
};

// Removes the attribute, where the node has it.
void remove_attribute(Node& node, std::string_view name);
// Gives the attribute that value, in its place where the node has it.
void set_attribute(Node& node, std::string_view name, AttributeValue value);
// Makes `value` input `position` of the node; inputs between are absent.
void set_input(Node& node, std::size_t position, ValueId value);

// Gives every output of the main graph's nodes a value; what no name was asked for is read by
// nothing.
void name_outputs(Model& model);

// Attributes that opset 18 has as inputs. They need no shapes.
Expected<void> canonicalize_attributes(Model& model, Graph& graph);
// Upsample, and Resize of any opset. A part of canonicalize_attributes().
Expected<void> canonicalize_resizes(Model& model, Graph& graph);

// After shapes have been inferred: Clip before opset 11 (limits of the data's type), Softmax and
// LogSoftmax before opset 13 (the tensor seen as a matrix).
Expected<void> canonicalize_shaped(Model& model, Graph& graph);

// The rules of the main graph that need to know ranks: all below, with shapes inferred between
// them. To be called again where a rank that was not known may have become so; true where a node
// changed.
Expected<bool> canonicalize_known(Model& model);

// Gives convolutions and pools kernel_shape, strides, dilations, group and pads as attributes;
// auto_pad and output_shape stay where pads depend on sizes that are not known.
Expected<void> canonicalize_windows(Model& model);

// Quantized operators and integer products, in arithmetic of floats that hold whole numbers. True
// where there was such a node.
Expected<bool> canonicalize_quantized(Model& model);
// Operators of com.microsoft and QLinear ones that are made of those above, or whose weights are
// packed in blocks: before shapes are inferred, of which they need none. The nodes that they become
// are in the form of opset 21.
Expected<void> unpack_quantized(Model& model);

// Spells out in other operators what has no lowering of its own: what passes/spell/spellings.def
// names. True where there was such a node whose ranks are known.
Expected<bool> spell_operators(Model& model);

// Floats that say how large something is when the model runs, where nothing says it before: the
// depth of a OneHot and the scales of a Resize become the integers that they mean. True where there
// was such a node.
Expected<bool> size_by_integers(Model& model);

// Gives every other node the attributes and operands of its canonical form: axes, pads, steps. True
// where a node changed.
Expected<bool> canonicalize_forms(Model& model);

}  // namespace subbyte
