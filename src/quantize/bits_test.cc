#include "quantize/bits.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace subbyte {
namespace {

using Values = std::vector<std::uint8_t>;

// Packed into bytes set to 0xee before, with one more behind that must stay.
Values packed(const Values& values, int bits) {
  std::vector<std::byte> out(packed_bytes(values.size(), bits) + 1, std::byte{0xee});
  pack_bits(values.data(), values.size(), bits, out.data());
  EXPECT_EQ(out.back(), std::byte{0xee});
  out.pop_back();
  Values bytes;
  for (const std::byte b : out) bytes.push_back(std::to_integer<std::uint8_t>(b));
  return bytes;
}

std::uint8_t byte(int value) { return static_cast<std::uint8_t>(value); }

TEST(PackBits, FourBits) {
  for (int v1 = 0; v1 < 16; ++v1) {
    for (int v2 = 0; v2 < 16; ++v2) {
      ASSERT_EQ(packed({byte(v1), byte(v2)}, 4), Values({byte(v1 | v2 << 4)}));
    }
  }
}

TEST(PackBits, TwoBits) {
  for (int i = 0; i < 256; ++i) {
    const int v1 = i & 3, v2 = i >> 2 & 3, v3 = i >> 4 & 3, v4 = i >> 6;
    ASSERT_EQ(packed({byte(v1), byte(v2), byte(v3), byte(v4)}, 2),
              Values({byte(v1 | v2 << 2 | v3 << 4 | v4 << 6)}));
  }
}

TEST(PackBits, EightBits) {
  for (int i = 0; i < 256; ++i) ASSERT_EQ(packed({byte(i)}, 8), Values({byte(i)}));
}

// All 2^24 octets, each against the three bytes spelled out.
TEST(PackBits, ThreeBits) {
  for (int i = 0; i < 1 << 24; ++i) {
    const int v1 = i & 7, v2 = i >> 3 & 7, v3 = i >> 6 & 7, v4 = i >> 9 & 7;
    const int v5 = i >> 12 & 7, v6 = i >> 15 & 7, v7 = i >> 18 & 7, v8 = i >> 21 & 7;
    const std::uint8_t values[] = {byte(v1), byte(v2), byte(v3), byte(v4),
                                   byte(v5), byte(v6), byte(v7), byte(v8)};
    std::byte out[3];
    pack_bits(values, 8, 3, out);
    const bool same = out[0] == std::byte(byte(v1 | v2 << 3 | (v3 & 3) << 6)) &&
                      out[1] == std::byte(byte(v3 >> 2 | v4 << 1 | v5 << 4 | (v6 & 1) << 7)) &&
                      out[2] == std::byte(byte(v6 >> 1 | v7 << 2 | v8 << 5));
    ASSERT_TRUE(same) << i;
  }
}

TEST(PackBits, TailsArePaddedWithZeros) {
  EXPECT_EQ(packed({63}, 6), Values({63}));
  EXPECT_EQ(packed({1, 2, 3}, 6), Values({0x81, 0x30, 0x00}));
  EXPECT_EQ(packed({7, 7, 7}, 3), Values({0xff, 0x01}));
  EXPECT_EQ(packed({15}, 4), Values({15}));
  EXPECT_EQ(packed({}, 5), Values());
}

TEST(UnpackBits, IsTheInverse) {
  std::mt19937 random(1);
  for (int bits = 1; bits <= 8; ++bits) {
    for (std::size_t count = 0; count < 40; ++count) {
      Values values(count);
      for (auto& value : values) value = byte(static_cast<int>(random() % (1u << bits)));
      std::vector<std::byte> bytes(packed_bytes(count, bits));
      pack_bits(values.data(), count, bits, bytes.data());
      Values back(count);
      unpack_bits(bytes.data(), count, bits, back.data());
      ASSERT_EQ(back, values) << bits << " bits, " << count << " values";
    }
  }
}

}  // namespace
}  // namespace subbyte
