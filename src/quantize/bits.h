// Small unsigned integers as a stream of bits, the lowest bits first: value i of `bits` bits takes
// bits [i * bits, (i + 1) * bits) of the little-endian stream. At 8 bits this is one byte a value,
// at 4 two values a byte, at 3 eight values in three bytes, at 2 four values a byte.
#pragma once

#include <cstddef>
#include <cstdint>

namespace subbyte {

// Bytes of `count` values.
constexpr std::size_t packed_bytes(std::size_t count, int bits) {
  return (count * static_cast<std::size_t>(bits) + 7) / 8;
}

// Writes packed_bytes(count, bits) bytes; what is left of the last one is 0. Values are below
// 2^bits, bits is 1 to 8.
void pack_bits(const std::uint8_t* values, std::size_t count, int bits, std::byte* out);

// The inverse.
void unpack_bits(const std::byte* packed, std::size_t count, int bits, std::uint8_t* out);

}  // namespace subbyte
