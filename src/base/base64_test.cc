#include "base/base64.h"

#include <gtest/gtest.h>

#include <span>
#include <string>

namespace subbyte {
namespace {

std::string encoded(std::string_view text) { return base64_of(std::as_bytes(std::span(text))); }

std::optional<std::string> decoded(std::string_view text) {
  const auto bytes = from_base64(text);
  if (!bytes) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

// RFC 4648, section 10.
TEST(Base64, WritesAndReadsTheExamplesOfTheRfc) {
  const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [text, base64] : examples) {
    EXPECT_EQ(encoded(text), base64);
    EXPECT_EQ(decoded(base64), text);
  }
}

TEST(Base64, CarriesEveryByte) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(decoded(encoded(all)), all);
}

TEST(Base64, RefusesWhatItDoesNotWrite) {
  for (const char* text : {"Zg=", "Zg", "Z===", "Zm9*", "=Zm9", "Zg==Zg==", "Zh==", "Zm9="})
    EXPECT_EQ(decoded(text), std::nullopt) << text;
}

}  // namespace
}  // namespace subbyte
