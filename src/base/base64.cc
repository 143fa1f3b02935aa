#include "base/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace subbyte {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint32_t kNoDigit = 64;

constexpr std::array<std::uint8_t, 256> values_of_digits() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < kDigits.size(); ++i)
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<std::uint8_t>(i);
  return values;
}

constexpr auto kValues = values_of_digits();

}  // namespace

std::string base64_of(Bytes bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 3; ++j) {
      word = word << 8 | (j < count ? std::to_integer<std::uint32_t>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text += j <= count ? kDigits[word >> (18 - 6 * j) & 63u] : '=';
    }
  }
  return text;
}

std::optional<std::vector<std::byte>> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool pads = i >= text.size() - padding;
    const std::uint32_t value = pads ? 0u : kValues[static_cast<unsigned char>(text[i])];
    if (value == kNoDigit) return std::nullopt;
    word = word << 6 | value;
    if (i % 4 != 3) continue;
    for (const int shift : {16, 8, 0})
      bytes.push_back(static_cast<std::byte>(word >> shift & 255u));
    word = 0;
  }
  // What is cut off must be 0, so that each content has one text.
  for (std::size_t i = 0; i < padding; ++i) {
    if (bytes.back() != std::byte{0}) return std::nullopt;
    bytes.pop_back();
  }
  return bytes;
}

}  // namespace subbyte
