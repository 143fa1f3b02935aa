// Where the values of a graph come from and where they go, as far as it tells which constants were
// trained.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

// What a value is made of; of several the last named here decides.
enum class Origin : std::uint8_t {
  constant,
  position,  // counts, shapes, ids and masks, and arithmetic with them
  data,      // float inputs, images of bytes
  feature,   // what trained products, tables and normalisations made
};

// What a value reaches through element-wise operators, views and the like.
enum Ends : unsigned {
  kEndsInProduct = 1,   // a product, a normalisation or a softmax, past which nobody looks
  kEndsInAngle = 2,     // a sine, a cosine or a tangent, past which nobody looks
  kEndsInExponent = 4,  // the exponent of a power
  kEndsInIndex = 8,     // a whole number, an index, or an operator that takes it for a place
  kEndsInOutput = 16,
};

class Flow {
 public:
  // `made`: by value, the constants that a formula gives (quantize/made_by_rule.h).
  Flow(const Graph& graph, const std::vector<bool>& made);

  Origin origin(ValueId value) const { return origins_[value]; }
  unsigned ends(ValueId value) const { return ends_[value]; }

  // Whether a product of `data` with a constant makes features, not angles, powers or places: its
  // constant was trained. One of raw data of which nothing but squares or logarithms is taken makes
  // a spectrum, and its constant is a basis of waves or a bank of filters.
  bool trains(ValueId data, ValueId result) const;

 private:
  void find_ends(const Graph& graph);
  void find_origins(const Graph& graph);
  void find_spectra(const Graph& graph);
  Origin origin_of(const Graph& graph, const Node& node) const;

  const std::vector<bool>& made_;
  std::vector<Origin> origins_;
  std::vector<unsigned> ends_;
  std::vector<bool> spectrum_;  // only its squares or logarithms are taken
};

// MatMul, Gemm, Conv and ConvTranspose.
bool is_product(Op op);
// LayerNormalization and RMSNormalization: what canonicalize leaves of normalisations in one node.
bool is_normalization(Op op);

}  // namespace subbyte
