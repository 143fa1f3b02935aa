// Products and lookups of com.microsoft whose weights are packed in blocks (ONNX Runtime,
// docs/ContribOperators.md): the weights become a constant of floats that knows its grid, the node
// an operator of ONNX.
#pragma once

#include "passes/spell_out.h"

namespace subbyte {

Expected<bool> unpack_matmul_nbits(Speller& s);
Expected<bool> unpack_matmul_bnb4(Speller& s);
Expected<bool> unpack_gather_block_quantized(Speller& s);

}  // namespace subbyte
