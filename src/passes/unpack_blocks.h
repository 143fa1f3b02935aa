// Products and lookups of com.microsoft whose weights are packed in blocks (ONNX Runtime,
// docs/ContribOperators.md): the weights become a constant of floats that knows its grid, the node
// an operator of ONNX.
#pragma once

#include "passes/spell_out.h"

namespace subbyte {

struct CodeGrid;

// A constant that is an input; `what` is its name for errors.
Expected<const Tensor*> constant_input(Speller& s, std::size_t i, std::string_view what);
// Rows of unsigned numbers of `bits` bits, the first in the lowest bits of a byte; each row begins
// with a byte. One byte each.
std::vector<std::byte> unpack_rows(Bytes packed, std::int64_t rows, std::int64_t row_bytes,
                                   std::int64_t count, int bits);
std::vector<float> level_numbers(const Tensor& tensor);
std::vector<float> level_numbers(const std::vector<std::byte>& codes);
// The constant of a grid, of that dtype, under the name of the constant that held the codes.
ValueId add_floats(Speller& s, CodeGrid grid, DType dtype, ValueId packed);

Expected<bool> unpack_matmul_nbits(Speller& s);
Expected<bool> unpack_matmul_bnb4(Speller& s);
Expected<bool> unpack_gather_block_quantized(Speller& s);

}  // namespace subbyte
