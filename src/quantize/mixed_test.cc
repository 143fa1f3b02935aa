#include "quantize/mixed.h"

#include <gmock/gmock.h>
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

TEST_F(MixedTest, TheMostSpecificRuleForTensorsWinsWhereverItStands) {
  const std::vector<Precision> expected{Precision::bits2, Precision::bits3, Precision::bits4,
                                        Precision::bits4};
  EXPECT_EQ(applied(R"({"tensors": {"*": "4bit", "h.0.*": "3bit", "h.0.attention": "2bit"}})"),
            expected);
  EXPECT_EQ(applied(R"({"tensors": {"h.0.attention": "2bit", "h.0.*": "3bit", "*": "4bit"}})"),
            expected);
}

TEST_F(MixedTest, RulesThatAreEquallySpecificMustAgree) {
  EXPECT_EQ(error(R"({"tensors": {"h.0.a*": "4bit", "h.*n": "4bit", "*.0.att*": "4bit"}})"),
            "no error");
  EXPECT_EQ(error(R"({"tensors": {"h.0.*": "4bit", "*.0.f*": "fp16", "*.0.a": "4bit"}})"),
            "'tensors': the pattern '*.0.a' matches no weight; there are 'h.0.attention', "
            "'h.0.feed_forward', 'h.1.attention', 'h.1.feed_forward'");
  EXPECT_EQ(error(R"({"tensors": {"h.0.*": "4bit", "*.0.f*": "fp16"}})"),
            "'tensors': the rules 'h.0.*' (4bit) and '*.0.f*' (fp16) both match "
            "'h.0.feed_forward', and neither is more specific; name the tensor itself, or give "
            "both the same precision");
}

TEST_F(MixedTest, RulesForTensorsThatAreStoredOnceAreToldWhereTheyDisagree) {
  uses_[0].also_named = {"decoder.w"};
  std::vector<Precision> precisions(uses_.size(), Precision::bits8);
  const auto done = apply_mixed_precision(
      R"({"tensors": {"h.0.a*": "2bit", "decoder.*": "fp16", "h.1.*": "3bit"}})", uses_, names_,
      precisions);
  ASSERT_TRUE(done);
  EXPECT_EQ(precisions[0], Precision::float16);
  ASSERT_EQ(done->told.size(), 1u);
  EXPECT_EQ(done->told[0],
            "the rules 'h.0.a*' (2bit) and 'decoder.*' (fp16) are about one weight: "
            "'h.0.attention' and 'decoder.w' hold the same numbers, which are stored once; they "
            "get fp16");
}

TEST_F(MixedTest, WhatNoRuleNamesKeepsItsPrecision) {
  std::vector<Precision> precisions(uses_.size(), Precision::bits8);
  EXPECT_EQ(apply_mixed_precision(R"({"mixed_precision": {"8bit_layers": [1]}})", uses_, names_,
                                  precisions)
                .value()
                .named,
            std::vector<bool>({false, false, true, true}));
  EXPECT_EQ(applied("{}"), std::vector<Precision>(4, Precision::bits8));
}

TEST_F(MixedTest, RulesTouchTrainedWeightsOnlyUnderAllTheirNames) {
  uses_[1].also_named = {"tied"};
  uses_[3].kind = WeightUseKind::other;
  std::vector<Precision> precisions(uses_.size(), Precision::bits8);
  EXPECT_EQ(apply_mixed_precision(R"({"tensors": {"h.1.*": "4bit", "tied": "2bit"}})", uses_,
                                  names_, precisions)
                .value()
                .named,
            std::vector<bool>({false, true, true, false}));
  EXPECT_EQ(precisions, (std::vector<Precision>{Precision::bits8, Precision::bits2,
                                                Precision::bits4, Precision::bits8}));
}

TEST_F(MixedTest, ErrorsListWhatThereIs) {
  EXPECT_EQ(error("[1]"), "this is not a JSON object; see the mixed-precision file in README.md");
  EXPECT_THAT(error("{\"tensors\""), testing::StartsWith("line 1, column 11: syntax error"));
  EXPECT_EQ(error(R"({"tensors": {}, "tensors": {}})"), "the key 'tensors' is there twice");
  EXPECT_EQ(error(R"({"model_name": 3})"), "'model_name' is to be text in quotes");
  EXPECT_EQ(error(R"({"layers": {}})"),
            "unknown key 'layers'; there are model_name, precision, "
            "mixed_precision, components, tensors");
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

TEST_F(MixedTest, AnEntryMaySayItsFormAndWhatItLoses) {
  std::vector<Precision> precisions(uses_.size(), Precision::bits8);
  std::vector<std::optional<AffineForm>> forms;
  const auto named = apply_mixed_precision(
      R"({"precision": "mixed", "written_by": "subbyte quantize", "tensors": {
          "h.0.attention": {"precision": "4bit", "group": 64, "zero_point_bits": 5, "loss": 0.001},
          "h.1.attention": {"precision": "fp16", "loss": null}, "h.1.feed_forward": "3bit"}})",
      uses_, names_, precisions, &forms);
  ASSERT_TRUE(named) << named.error().message;
  EXPECT_EQ(named->named, (std::vector<bool>{true, false, true, true}));
  EXPECT_EQ(precisions, (std::vector<Precision>{Precision::bits4, Precision::bits8,
                                                Precision::float16, Precision::bits3}));
  EXPECT_EQ(forms[0], (AffineForm{64, 5}));
  for (const std::size_t i : {1u, 2u, 3u}) EXPECT_EQ(forms[i], std::nullopt);
  EXPECT_EQ(precision_of_rules(R"({"precision": "mixed"})"), "mixed");
  EXPECT_EQ(precision_of_rules(R"({"precision": "5bit"})"), std::nullopt);
  EXPECT_EQ(precision_of_rules("{"), std::nullopt);
}

TEST_F(MixedTest, ANameIsMoreSpecificThanAPattern) {
  EXPECT_EQ(applied(R"({"tensors": {"h.0.attention": "3bit", "h.0.*": "4bit"}})"),
            (std::vector<Precision>{Precision::bits3, Precision::bits4, Precision::bits8,
                                    Precision::bits8}));
}

TEST_F(MixedTest, WrongFormsAreErrors) {
  const auto of_entry = [&](const std::string& entry) {
    return error(R"({"tensors": {"h.0.attention": )" + entry + "}}");
  };
  const std::string name = "'tensors': 'h.0.attention': ";
  EXPECT_EQ(of_entry(R"({"bits": 4})"),
            name + "unknown key 'bits'; there are precision, group, zero_point_bits, loss");
  EXPECT_EQ(of_entry("{}"), name + "there is no 'precision'");
  EXPECT_EQ(
      of_entry(R"({"precision": "4bit", "group": 64})"),
      name + "'group' and 'zero_point_bits' go together, with a precision of 8 bits or fewer");
  EXPECT_EQ(
      of_entry(R"({"precision": "fp16", "group": 64, "zero_point_bits": 0})"),
      name + "'group' and 'zero_point_bits' go together, with a precision of 8 bits or fewer");
  EXPECT_EQ(of_entry(R"({"precision": "4bit", "group": 48, "zero_point_bits": 0})"),
            name + "'group' is 32 or 64, not 48");
  EXPECT_EQ(of_entry(R"({"precision": "3bit", "group": 32, "zero_point_bits": 6})"),
            name + "'zero_point_bits' at 3 bits is one of 5, 4, 3, 0, not 6");
  EXPECT_EQ(of_entry(R"({"precision": "3bit", "group": 3.5, "zero_point_bits": 5})"),
            name + "'group' must be a whole number, not 3.5");
  EXPECT_EQ(of_entry(R"({"precision": "3bit", "loss": "much"})"),
            name + "'loss' must be a number, not string");
  EXPECT_TRUE(
      error(R"({"precision": "5bit"})").starts_with("'precision' is '\"5bit\"'; there are"));
}

}  // namespace
}  // namespace subbyte
