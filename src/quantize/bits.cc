#include "quantize/bits.h"

#include <algorithm>
#include <cstring>

namespace subbyte {
namespace {

// Eight values take `kBits` whole bytes, so whole octets need no state between them.
template <int kBits>
void pack(const std::uint8_t* values, std::size_t count, std::byte* out) {
  for (; count > 0; values += 8, out += kBits) {
    const std::size_t some = std::min<std::size_t>(count, 8);
    std::uint64_t word = 0;
    if (some == 8) {
      for (int i = 0; i < 8; ++i) word |= std::uint64_t{values[i]} << (i * kBits);
      for (int i = 0; i < kBits; ++i) out[i] = static_cast<std::byte>(word >> (8 * i));
    } else {
      for (std::size_t i = 0; i < some; ++i) word |= std::uint64_t{values[i]} << (i * kBits);
      for (std::size_t i = 0; i < packed_bytes(some, kBits); ++i) {
        out[i] = static_cast<std::byte>(word >> (8 * i));
      }
    }
    count -= some;
  }
}

template <int kBits>
void unpack(const std::byte* packed, std::size_t count, std::uint8_t* out) {
  for (; count > 0; packed += kBits, out += 8) {
    const std::size_t some = std::min<std::size_t>(count, 8);
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < packed_bytes(some, kBits); ++i) {
      word |= std::uint64_t{std::to_integer<std::uint8_t>(packed[i])} << (8 * i);
    }
    for (std::size_t i = 0; i < some; ++i) {
      out[i] = static_cast<std::uint8_t>(word >> (i * kBits) & ((1u << kBits) - 1));
    }
    count -= some;
  }
}

}  // namespace

void pack_bits(const std::uint8_t* values, std::size_t count, int bits, std::byte* out) {
  switch (bits) {
    case 1:
      return pack<1>(values, count, out);
    case 2:
      return pack<2>(values, count, out);
    case 3:
      return pack<3>(values, count, out);
    case 4:
      return pack<4>(values, count, out);
    case 5:
      return pack<5>(values, count, out);
    case 6:
      return pack<6>(values, count, out);
    case 7:
      return pack<7>(values, count, out);
    default:
      if (count > 0) std::memcpy(out, values, count);
  }
}

void unpack_bits(const std::byte* packed, std::size_t count, int bits, std::uint8_t* out) {
  switch (bits) {
    case 1:
      return unpack<1>(packed, count, out);
    case 2:
      return unpack<2>(packed, count, out);
    case 3:
      return unpack<3>(packed, count, out);
    case 4:
      return unpack<4>(packed, count, out);
    case 5:
      return unpack<5>(packed, count, out);
    case 6:
      return unpack<6>(packed, count, out);
    case 7:
      return unpack<7>(packed, count, out);
    default:
      if (count > 0) std::memcpy(out, packed, count);
  }
}

}  // namespace subbyte
