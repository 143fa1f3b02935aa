// What a node in canonical form (ARCHITECTURE.md, "Passes") says, for all that comes after
// canonicalize: axes from the front, all of them named.
#pragma once

#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

// The attribute "axis".
std::size_t axis_of(const Node& node);
// The axes that an operand names, in its order.
std::vector<std::size_t> axes_operand(const Graph& graph, const Node& node, std::size_t input);
// By axis of the data of a reduction: whether it goes over it.
std::vector<bool> reduced_axes(const Graph& graph, const Node& node);
// Whether a MatMul or Conv multiplies whole numbers of at most 255 in magnitude, as floats, and
// gives their exact sums as int32 (modulo 2^32): what canonicalize makes of MatMulInteger and
// ConvInteger. Where the weights have been rounded to other numbers each sum is rounded to a whole
// one.
inline constexpr std::string_view kSumsIntegers = "sums_integers";
bool sums_integers(const Node& node);
// Whether a Div gives the float nearest to the quotient, of two the even one, as on every CPU;
// WGSL's own may be 2.5 ULP off.
inline constexpr std::string_view kRoundedQuotient = "rounded_quotient";
bool rounds_quotient(const Node& node);
// Whether a Resize has both sizes and the scales that gave them, which stand where its roi would:
// what becomes of scales that are known when the model runs.
inline constexpr std::string_view kScalesAsRoi = "scales_as_roi";
// Whether such a Resize only makes its data larger: which element of smaller ones is the nearest,
// its operator set says otherwise.
inline constexpr std::string_view kOnlyLarger = "only_larger";
// The axes that scales, sizes and roi of a Resize are about, in their order.
std::vector<std::size_t> resized_axes(const Node& node, std::size_t rank);

}  // namespace subbyte
