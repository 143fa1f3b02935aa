// Weights that arrived quantized, stored on the grid that they came with.
#pragma once

#include "base/error.h"
#include "graph/graph.h"
#include "quantize/codec.h"
#include "quantize/stored_weight.h"

namespace subbyte {

// The encoding that holds the codes, scales and zero points of a constant that has_grid(), as the
// matrix of that order. Every number that it decodes to, rounded to the constant's dtype, is the
// constant's. An error is the reason why there is none, a sentence without its subject.
Expected<Encoding> arrived_encoding(const Tensor& tensor, const AxisOrder& order);

// The matrix packed: `stored.encoding` is that of arrived_encoding().
PackedMatrix pack_arrived(const Tensor& tensor, const StoredWeight& stored);

}  // namespace subbyte
