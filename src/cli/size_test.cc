#include "cli/size.h"

#include <gtest/gtest.h>

namespace subbyte {
namespace {

TEST(Size, UnitsAndDecimals) {
  EXPECT_EQ(parse_size("--s", "1048576").value(), 1048576);
  EXPECT_EQ(parse_size("--s", "200MB").value(), 200'000'000);
  EXPECT_EQ(parse_size("--s", "1.5MB").value(), 1'500'000);
  EXPECT_EQ(parse_size("--s", "0.5KiB").value(), 512);
  EXPECT_EQ(parse_size("--s", "4MiB").value(), 4 << 20);
  EXPECT_EQ(parse_size("--s", "2.000001GB").value(), 2'000'001'000);
  EXPECT_EQ(parse_size("--s", "7B").value(), 7);
  // As sizes are printed.
  EXPECT_EQ(parse_size("--s", "283kB").value(), 283'000);
}

TEST(Size, WhatIsNone) {
  for (const char* const text :
       {"", "banana", "MB", ".5MB", "5.MB", "1.2.3MB", "-1MB", "1 MB", "1mb", "0", "0.4B", "1.5",
        "0MB", "1e3", "9999999999999", "999999999999GB", "1.1234567MB", "1TB"}) {
    const auto size = parse_size("--shard-size", text);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().kind, ErrorKind::usage);
    EXPECT_EQ(size.error().message,
              "--shard-size: '" + std::string(text) +
                  "' is not a size; write a number and kB, MB or GB, such as 200MB");
  }
}

}  // namespace
}  // namespace subbyte
