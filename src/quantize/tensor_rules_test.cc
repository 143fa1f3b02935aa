#include "quantize/tensor_rules.h"

#include <gtest/gtest.h>

namespace subbyte {
namespace {

TEST(PatternTest, StarsAndQuestionMarks) {
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("a*b*c", "axxbyyc"));
  EXPECT_TRUE(matches_pattern("a?c", "abc"));
  EXPECT_FALSE(matches_pattern("a?c", "ac"));
  EXPECT_FALSE(matches_pattern("a*b", "abc"));
  EXPECT_TRUE(matches_pattern("**a**", "bab"));
}

// The word of the rule that is obeyed, or the error; "-" where none matches.
std::string obeyed(std::initializer_list<std::pair<const char*, Precision>> rules,
                   std::vector<std::string> names, std::vector<std::string>* told = nullptr) {
  std::vector<TensorRule> list;
  for (const auto& [pattern, precision] : rules)
    list.push_back({pattern, precision, std::to_string(bits_of(precision)), {}});
  std::vector<std::string> sentences;
  const auto rule = rule_for(list, names, sentences);
  if (told != nullptr) *told = sentences;
  if (!rule) return rule.error().message;
  return *rule != nullptr ? (*rule)->word : "-";
}

constexpr Precision k2 = Precision::bits2, k4 = Precision::bits4, k8 = Precision::bits8;

TEST(TensorRules, NamesBeforePatternsAndLongerOnesBeforeShorter) {
  EXPECT_EQ(obeyed({{"x", k4}}, {"w"}), "-");
  EXPECT_EQ(obeyed({{"w", k2}, {"w*", k4}, {"*", k8}}, {"w"}), "2");
  EXPECT_EQ(obeyed({{"*", k8}, {"w*", k4}, {"w", k2}}, {"w"}), "2");
  EXPECT_EQ(obeyed({{"a*", k2}, {"*bc", k4}}, {"abc"}), "4");
  EXPECT_EQ(obeyed({{"a??", k2}, {"a*", k4}}, {"abc"}), "2");
  // A name that holds a star is a name.
  EXPECT_EQ(obeyed({{"a*c", k2}, {"a*bc", k4}}, {"a*c"}), "2");
}

TEST(TensorRules, EquallySpecificOnesThatDisagreeAreNamed) {
  EXPECT_EQ(obeyed({{"a*", k2}, {"*c", k4}}, {"abc"}),
            "'tensors': the rules 'a*' (2) and '*c' (4) both match 'abc', and neither is more "
            "specific; name the tensor itself, or give both the same precision");
  EXPECT_EQ(obeyed({{"a*", k4}, {"*c", k4}}, {"abc"}), "4");
  EXPECT_EQ(obeyed({{"a*", k2}, {"*c", k4}, {"abc", k8}}, {"abc"}), "8");
}

TEST(TensorRules, OneWeightOfSeveralNames) {
  std::vector<std::string> told;
  // What is more specific under one name is so under all.
  EXPECT_EQ(obeyed({{"*", k8}, {"w", k2}}, {"w", "w_transposed"}, &told), "2");
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(obeyed({{"u", k8}, {"w", k2}}, {"w", "u"}, &told), "8");
  EXPECT_EQ(told.size(), 1u);
  EXPECT_EQ(obeyed({{"w", k2}, {"u*", k8}}, {"w", "u.1"}, &told), "2");
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0],
            "the rules 'u*' (8) and 'w' (2) are about one weight: 'u.1' and 'w' hold the same "
            "numbers, which are stored once; they get 2");
}

}  // namespace
}  // namespace subbyte
