#include "base/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace subbyte {
namespace {

std::string error_of(std::string_view text) {
  const auto parsed = parse_json(text);
  return parsed ? "" : parsed.error().message;
}

TEST(JsonText, SaysLineAndColumn) {
  EXPECT_EQ(error_of("{\n  \"a\": 1,\n  b: 2\n}").substr(0, 18), "line 3, column 3: ");
  EXPECT_EQ(error_of("").substr(0, 18), "line 1, column 1: ");
  EXPECT_EQ(error_of("[1, 2").substr(0, 18), "line 1, column 6: ");
  EXPECT_EQ(error_of("{\"a\": \"\xff\"}").substr(0, 9), "line 1, c");
}

TEST(JsonText, ANumberThatIsTooLargeIsNamed) {
  EXPECT_EQ(error_of("[1e400]"), "number overflow parsing '1e400'");
}

TEST(JsonText, AKeyTwiceIsAnError) {
  EXPECT_EQ(error_of(R"({"a": 1, "b": {"a": 2}, "a": 3})"), "the key 'a' is there twice");
  EXPECT_EQ(error_of(R"({"b": {"c": 1, "c": 1}})"), "the key 'c' is there twice");
  EXPECT_EQ(error_of(R"([{"a": 1}, {"a": 2}])"), "");
}

TEST(JsonText, KeepsTheOrderOfKeys) {
  const auto parsed = parse_json(R"({"z": 1, "a": [true, null]})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->dump(), R"({"z":1,"a":[true,null]})");
}

TEST(JsonText, DepthIsBounded) {
  const std::string deep(100'000, '[');
  EXPECT_EQ(error_of(deep), "it is nested deeper than 8 levels");
  EXPECT_EQ(error_of(deep + std::string(100'000, ']')), "it is nested deeper than 8 levels");
  EXPECT_EQ(error_of(R"([[[[[[[{"a": 1}]]]]]]])"), "");
}

}  // namespace
}  // namespace subbyte
