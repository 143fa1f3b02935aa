// The windows that convolutions and pools move over the spatial axes of their input: for inference
// and for everything else that needs them. All vectors have one element for each spatial axis,
// those from axis 2 on.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// Conv and the pools. Element k of the window at o reads position o * stride - pads_begin +
// k * dilation of the input, which is padding where that is outside [0, size). kernel, strides and
// dilations are at least 1, pads at least 0.
struct Window {
  std::vector<Expr> kernel, strides, dilations;
  std::vector<Expr> pads_begin, pads_end;
  // Sizes of the output. With ceil_mode the last window may reach beyond the padding, and then has
  // fewer elements that count; it starts inside the input or the padding before it.
  std::vector<Expr> out;
};

// ConvTranspose. Position i of the input and element k of the window meet at o of the output where
// o == i * stride + k * dilation - pads_begin; what falls outside [0, out) is dropped.
struct TransposedWindow {
  std::vector<Expr> kernel, strides, dilations;
  std::vector<Expr> pads_begin;
  std::vector<Expr> out;
};

// The window of a Conv or pool over an input of the given shape, whatever auto_pad, missing
// attributes and ceil_mode say. `weights` is the shape of a Conv's weights, and empty for a pool,
// which has kernel_shape. The caller checks that `out` is not negative where it is symbolic. Errors
// are sentences without the node.
Expected<Window> window_of(ExprPool& exprs, const Node& node, std::span<const Expr> input,
                           std::span<const Expr> weights);
Expected<TransposedWindow> transposed_window_of(ExprPool& exprs, const Node& node,
                                                std::span<const Expr> input,
                                                std::span<const Expr> weights);

// The same for a node of a graph after infer(); none while a shape that it needs is not known.
Expected<std::optional<Window>> window_of(ExprPool& exprs, const Graph& graph, const Node& node);
Expected<std::optional<TransposedWindow>> transposed_window_of(ExprPool& exprs, const Graph& graph,
                                                               const Node& node);

}  // namespace subbyte
