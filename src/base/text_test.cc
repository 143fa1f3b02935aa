#include "base/text.h"

#include <gtest/gtest.h>

namespace subbyte {
namespace {

TEST(Quoted, ShowsWhatCannotBeSeen) {
  EXPECT_EQ(quoted(""), "''");
  EXPECT_EQ(quoted("encoder/Add_3"), "'encoder/Add_3'");
  EXPECT_EQ(quoted("it's a \\"), R"('it\'s a \\')");
  EXPECT_EQ(quoted("a\nb\tc\rd"), R"('a\nb\tc\rd')");
  EXPECT_EQ(quoted(std::string_view("\0\x1b[31m\x7f", 7)), R"('\x00\x1b[31m\x7f')");
  EXPECT_EQ(quoted("h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"),
            "'h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80'");
  EXPECT_EQ(quoted("\xE2\x80\xAE"
                   "gpj.exe"),
            R"('\u{202e}gpj.exe')");
  EXPECT_EQ(quoted("\xE2\x80\xA8\xE2\x80\xA9\xC2\x85"), R"('\u{2028}\u{2029}\u{85}')");
  EXPECT_EQ(quoted("\xF3\xA0\x81\x81"), R"('\u{e0041}')");
}

TEST(Quoted, BytesThatAreNotUtf8) {
  EXPECT_EQ(quoted("\xFF"), R"('\xff')");
  EXPECT_EQ(quoted("\xC0\x80"), R"('\xc0\x80')");                  // overlong
  EXPECT_EQ(quoted("\xE0\x80\x80"), R"('\xe0\x80\x80')");          // overlong
  EXPECT_EQ(quoted("\xED\xA0\x80"), R"('\xed\xa0\x80')");          // surrogate
  EXPECT_EQ(quoted("\xF4\x90\x80\x80"), R"('\xf4\x90\x80\x80')");  // above U+10FFFF
  EXPECT_EQ(quoted("a\xE2\x82"), R"('a\xe2\x82')");                // cut off
  EXPECT_EQ(quoted("\xE2\x82(x"), R"('\xe2\x82(x')");
}

TEST(Quoted, CutsLongNames) {
  EXPECT_EQ(quoted(std::string(200, 'x')), "'" + std::string(200, 'x') + "'");
  EXPECT_EQ(quoted(std::string(201, 'x')), "'" + std::string(200, 'x') + "...'");
}

TEST(ValidUtf8, ReplacesBadBytes) {
  EXPECT_EQ(valid_utf8("a\xC3\xA9"), "a\xC3\xA9");
  EXPECT_EQ(valid_utf8("a\xFFz\xE2\x82"), "a\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(JsString, IsSafeWhereverItStands) {
  EXPECT_EQ(js_string("a"), R"("a")");
  EXPECT_EQ(js_string("\"\\\n"), R"("\"\\\u000a")");
  EXPECT_EQ(js_string("</script>*/"), R"("\u003c\u002fscript\u003e*\u002f")");
  EXPECT_EQ(js_string("\xE2\x80\xA8\xE2\x80\xAE"), R"("\u2028\u202e")");
  EXPECT_EQ(js_string("\xF3\xA0\x81\x81\xF0\x9F\x98\x80"), "\"\\udb40\\udc41\xF0\x9F\x98\x80\"");
  EXPECT_EQ(js_string("\xFF"), R"("\ufffd")");
}

TEST(Nearest, SuggestsWhatWasMeant) {
  const std::vector<std::string> names = {"convert", "quantize", "inspect", "verify", "4bit"};
  EXPECT_EQ(nearest("covnert", names), "convert");
  EXPECT_EQ(nearest("Quantise", names), "quantize");
  EXPECT_EQ(nearest("5bit", names), "4bit");
  EXPECT_EQ(nearest("zebra", names), "");
  EXPECT_EQ(nearest("", names), "");
  EXPECT_EQ(nearest("x", {"y"}), "");
  EXPECT_EQ(nearest(std::string(100000, 'x'), {std::string(100000, 'x')}), "");
}

}  // namespace
}  // namespace subbyte
