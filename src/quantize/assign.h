// Which weight gets which bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "quantize/format.h"
#include "quantize/measure.h"

namespace subbyte {

enum class Precision : std::uint8_t { float32, float16, bits8, bits4, bits3, bits2 };

// The names of --precision, in the order in which they are listed; int8 is another name of 8bit.
struct PrecisionName {
  std::string_view name;
  Precision precision;
};
std::span<const PrecisionName> precision_names();
std::optional<Precision> precision_from_name(std::string_view name);
int bits_of(Precision precision);

// What reads a weight.
enum class WeightUseKind : std::uint8_t {
  matmul,
  gemm,
  embedding,  // a table that Gather reads rows of
  conv,       // of Conv and ConvTranspose
  operand,    // what a product or a Gather reads as no matrix
  scale,      // of a normalisation, or of the channels of a product
  bias,       // of them, and tables of positions added to features
  other,      // what is no trained operand: positions, means, anchors, masks
};
// Whether packing is for it: the first four.
bool is_matrix(WeightUseKind kind);

// A part of a transformer, or of another network, that a weight belongs to.
enum class Component : std::uint8_t {
  attention,
  feed_forward,
  embedding,
  head,
  convolution,
  other
};
std::string_view component_name(Component component);

struct WeightUse {
  ValueId value = kNone;
  std::vector<std::string> also_named = {};  // constants of the source with the same elements
  AxisOrder order = {};
  std::int64_t rows = 0;
  std::int64_t k = 0;
  WeightUseKind kind = WeightUseKind::other;
  WeightRange range = {};    // of measure_weights()
  float largest_beside = 0;  // magnitude of the weights that multiply the same value
  double beside = 0;         // of a bias: about the size of what it is added to
  std::optional<int> layer = {};
  Component component = Component::other;

  std::int64_t parameters() const { return rows * k; }
  // What the exponent of its scales is chosen by: the same for weights that multiply the same
  // value, which one kernel can then multiply with all of them (plan/join_products.h).
  float scale_magnitude() const { return std::max(range.largest, largest_beside); }
};

struct Assignment {
  Encoding encoding;
  std::string reason;  // why it is stored wider than asked; "" where it is not
};

// One assignment for each use, before any is widened (quantize/widen.h). Matrices (products,
// convolutions and embedding tables) get the bits asked; other trained operands stay float32, or
// become float16 where that is asked and it fits; what is no trained operand stays float32. A
// weight that its encoding could not hold stays float32.
std::vector<Assignment> assign_encodings(std::span<const WeightUse> uses,
                                         std::span<const Precision> precisions,
                                         const std::vector<bool>& as_it_stands);
// The same precision for all.
std::vector<Assignment> assign_encodings(std::span<const WeightUse> uses, Precision precision);

// Makes trained operands that are no matrix float16 where they fit, as is done for a precision
// below 8 bits: beside the rounding of such weights that of a bias to a half is nothing, while its
// bytes are not, for a small convolutional network has a bias for every 30 weights.
void narrow_others(std::span<const WeightUse> uses, std::vector<Assignment>& assignments);

// The share of the parameters (0 to 1) that are stored at `bits` bits or fewer; 1 where there are
// none.
double share_within(std::span<const WeightUse> uses, std::span<const Assignment> assignments,
                    int bits);

}  // namespace subbyte
