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
  std::unordered_set<std::string> names_;
};

// Removes the attribute, where the node has it.
void remove_attribute(Node& node, std::string_view name);
// Makes `value` input `position` of the node; inputs between are absent.
void set_input(Node& node, std::size_t position, ValueId value);

// Gives every output of the main graph's nodes a value; what no name was asked for is read by
// nothing.
void name_outputs(Model& model);

// Attributes that opset 18 has as inputs. They need no shapes.
Expected<void> canonicalize_attributes(Model& model, Graph& graph);
// Upsample, and Resize of any opset. A part of canonicalize_attributes().
Expected<void> canonicalize_resizes(Model& model, Graph& graph);

// Whether canonicalize_shaped() has something to do, for which shapes must have been inferred.
bool needs_shapes(const Model& model);
// Clip before opset 11 (limits of the data's type), Softmax and LogSoftmax before opset 13 (the
// tensor seen as a matrix).
Expected<void> canonicalize_shaped(Model& model, Graph& graph);

// Whether the node is a convolution or a pool without all of its attributes, or with auto_pad.
bool is_open_window(const Node& node);
// Gives convolutions and pools of the main graph kernel_shape, strides, dilations, group and pads
// as attributes, after shapes have been inferred; auto_pad and output_shape stay where pads depend
// on sizes that are not known.
Expected<void> canonicalize_windows(Model& model);

// Whether the main graph has operators that canonicalize_norms() spells out in others:
// normalisations other than LayerNormalization, RMSNormalization and BatchNormalization, pools over
// whole images, Hardmax.
bool has_norms(const Model& model);
Expected<void> canonicalize_norms(Model& model);

}  // namespace subbyte
