// Per-channel arithmetic with constants, and folding it into the weights of the product that it
// stands before or after. Everything is double until it is written back.
#pragma once

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

// y = scale * x + offset for each channel; one element each where all channels share them.
struct Affine {
  std::vector<double> scale, offset;

  bool is_identity() const;
  bool has_offset() const;
  // `later` after this one: later.scale * (scale * x + offset) + later.offset. Nullopt where the
  // numbers of channels do not agree or a result is not finite.
  std::optional<Affine> then(const Affine& later) const;
  // The same for `channels` of them; nullopt where it has another number.
  std::optional<Affine> over(std::size_t channels) const;
};

// What the node computes of input `data` as an Affine of axis `axis` of a tensor of rank `rank`: a
// BatchNormalization, or an Add, Sub, Mul or Div with a constant. Nullopt for any other node.
// Constants that are computed when the model runs do not count.
std::optional<Affine> affine_of(const Graph& graph, const Node& node, ValueId data,
                                std::size_t rank, std::size_t axis);

// The scale and offset of a BatchNormalization whose parameters are constants.
std::optional<Affine> batch_normalization_affine(const Graph& graph, const Node& node);

}  // namespace subbyte
