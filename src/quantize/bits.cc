#include "quantize/bits.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace subbyte {
namespace {

// Eight values, a byte each and lowest first, without the bits between them: pairs move together,
// then pairs of pairs, then all.
template <int kBits>
std::uint64_t squeeze(std::uint64_t bytes) {
  constexpr int kGap = 8 - kBits;
  constexpr std::uint64_t kByte = 0x00ff00ff00ff00ff, kPair = 0x0000ffff0000ffff;
  const std::uint64_t pairs = (bytes & kByte) | (bytes & ~kByte) >> kGap;
  const std::uint64_t fours = (pairs & kPair) | (pairs & ~kPair) >> (2 * kGap);
  return (fours & 0xffffffff) | fours >> 32 << (4 * kBits);
}

// Eight bytes as a little-endian number, and back.
std::uint64_t load_octet(const void* bytes) {
  std::uint64_t word = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&word, bytes, sizeof(word));
  } else {
    const auto* const each = static_cast<const std::uint8_t*>(bytes);
    for (int i = 0; i < 8; ++i) word |= std::uint64_t{each[i]} << (8 * i);
  }
  return word;
}

void store_octet(std::uint64_t word, std::size_t count, std::byte* out) {
  if (std::endian::native == std::endian::little && count == 8) {
    std::memcpy(out, &word, 8);
  } else {
    for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::byte>(word >> (8 * i));
  }
}

// Eight values take `kBits` whole bytes, so whole octets need no state between them.
template <int kBits>
void pack(const std::uint8_t* values, std::size_t count, std::byte* out) {
  for (; count >= 8; count -= 8, values += 8, out += kBits) {
    const std::uint64_t word = squeeze<kBits>(load_octet(values));
    // Where octets that follow take eight bytes and more, the rest of these is theirs.
    store_octet(word, count * kBits >= 64 ? 8 : kBits, out);
  }
  std::uint8_t last[8] = {};
  std::copy_n(values, count, last);
  store_octet(squeeze<kBits>(load_octet(last)), packed_bytes(count, kBits), out);
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
