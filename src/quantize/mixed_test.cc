#include "quantize/mixed.h"

#include <gtest/gtest.h>

namespace subbyte {
namespace {

class MixedTest : public testing::Test {
 protected:
  MixedTest() {
    for (int layer = 0; layer < 2; ++layer) {
      for (const Component component : {Component::attention, Component::feed_forward}) {
        WeightUse use;
        use.kind = WeightUseKind::matmul;
        use.layer = layer;
        use.component = component;
        uses_.push_back(use);
        names_.push_back("h." + std::to_string(layer) + "." +
                         std::string(component_name(component)));
      }
    }
  }

  std::vector<Precision> applied(std::string_view json) {
    std::vector<Precision> precisions(uses_.size(), Precision::bits8);
    const auto done = apply_mixed_precision(json, uses_, names_, precisions);
    EXPECT_TRUE(done) << done.error().message;
    return precisions;
  }

  std::string error(std::string_view json) {
    std::vector<Precision> precisions(uses_.size(), Precision::bits8);
    const auto done = apply_mixed_precision(json, uses_, names_, precisions);
    return done ? "no error" : done.error().message;
  }

  std::vector<WeightUse> uses_;
  std::vector<std::string> names_;
};

TEST_F(MixedTest, TheMostSpecificRuleWins) {
  const auto precisions =
      applied(R"({"model_name": "m", "mixed_precision": {"2bit_layers": [0], "fp16_layers": [1]},
                                      "components": {"attention": "4bit"}, "tensors": {"h.1.at*": "fp32"}})");
  EXPECT_EQ(precisions, (std::vector<Precision>{Precision::bits4, Precision::bits2,
                                                Precision::float32, Precision::float16}));
}

TEST_F(MixedTest, WhatNoRuleNamesKeepsItsPrecision) {
  std::vector<Precision> precisions(uses_.size(), Precision::bits8);
  EXPECT_EQ(apply_mixed_precision(R"({"mixed_precision": {"8bit_layers": [1]}})", uses_, names_,
                                  precisions)
                .value(),
            std::vector<bool>({false, false, true, true}));
  EXPECT_EQ(applied("{}"), std::vector<Precision>(4, Precision::bits8));
}

TEST_F(MixedTest, RulesTouchTrainedWeightsOnlyUnderAllTheirNames) {
  uses_[1].also_named = {"tied"};
  uses_[3].kind = WeightUseKind::other;
  std::vector<Precision> precisions(uses_.size(), Precision::bits8);
  EXPECT_EQ(apply_mixed_precision(R"({"tensors": {"h.1.*": "4bit", "tied": "2bit"}})", uses_,
                                  names_, precisions)
                .value(),
            std::vector<bool>({false, true, true, false}));
  EXPECT_EQ(precisions, (std::vector<Precision>{Precision::bits8, Precision::bits2,
                                                Precision::bits4, Precision::bits8}));
}

TEST_F(MixedTest, ErrorsListWhatThereIs) {
  EXPECT_EQ(error("[1]"), "this is not a JSON object; see the mixed-precision file in README.md");
  EXPECT_EQ(error("{\"tensors\""),
            "this is not a JSON object; see the mixed-precision file in README.md");
  EXPECT_EQ(error(R"({"layers": {}})"),
            "unknown key 'layers'; there are model_name, mixed_precision, components, tensors");
  EXPECT_EQ(error(R"({"mixed_precision": {"5bit_layers": [0]}})"),
            "'mixed_precision' has an unknown key '5bit_layers'; there are 2bit_layers, "
            "3bit_layers, 4bit_layers, "
            "8bit_layers, fp16_layers");
  EXPECT_EQ(error(R"({"mixed_precision": {"2bit_layers": [2]}})"),
            "'2bit_layers': the model has no layer 2; there are 0, 1");
  EXPECT_EQ(error(R"({"mixed_precision": {"2bit_layers": ["0"]}})"),
            "'2bit_layers': the model has no layer \"0\"; there are 0, 1");
  EXPECT_EQ(error(R"({"mixed_precision": {"2bit_layers": [1e99]}})"),
            "'2bit_layers': the model has no layer 1e+99; there are 0, 1");
  EXPECT_EQ(error(R"({"mixed_precision": {"2bit_layers": 0}})"),
            "'2bit_layers' must be an array of layer indices, not number");
  EXPECT_EQ(error(R"({"mixed_precision": {"2bit_layers": [0], "3bit_layers": [0]}})"),
            "'3bit_layers': layer 0 stands in the file twice");
  EXPECT_EQ(error(R"({"components": {"head": "4bit"}})"),
            "'components': the model has no component 'head'; it has attention, feed_forward");
  EXPECT_EQ(error(R"({"tensors": {"x*": "4bit"}})"),
            "'tensors': the pattern 'x*' matches no weight; there are 'h.0.attention', "
            "'h.0.feed_forward', "
            "'h.1.attention', 'h.1.feed_forward'");
  WeightUse anchors;
  anchors.layer = 7;
  uses_.push_back(anchors);
  names_.push_back("anchors");
  EXPECT_EQ(error(R"({"tensors": {"anch*": "4bit"}})"),
            "'tensors': the pattern 'anch*' matches no trained weight, only constants that stay "
            "float32 whatever the precision, such as 'anchors'; there are 'h.0.attention', "
            "'h.0.feed_forward', 'h.1.attention', 'h.1.feed_forward'");
  EXPECT_EQ(error(R"({"mixed_precision": {"2bit_layers": [7]}})"),
            "'2bit_layers': the model has no layer 7; there are 0, 1");
  EXPECT_EQ(error(R"({"components": []})"), "'components' must be an object, not array");
  EXPECT_TRUE(error(R"({"components": {"attention": "5bit"}})")
                  .starts_with("'attention': '\"5bit\"' is no precision"));
}

TEST(PatternTest, StarsAndQuestionMarks) {
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("a*b*c", "axxbyyc"));
  EXPECT_TRUE(matches_pattern("a?c", "abc"));
  EXPECT_FALSE(matches_pattern("a?c", "ac"));
  EXPECT_FALSE(matches_pattern("a*b", "abc"));
  EXPECT_TRUE(matches_pattern("**a**", "bab"));
}

}  // namespace
}  // namespace subbyte
