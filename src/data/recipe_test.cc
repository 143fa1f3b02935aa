// inputs.json.
#include "data/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace subbyte {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Recipe, AllKeys) {
  const auto recipe = parse_recipe(R"({"input": "x", "size": [48, 320], "fit": "pad",
    "channels": "BGR", "layout": "NHWC", "scale": 1, "mean": [1, 2, 3], "std": 0.5,
    "sample_rate": 16000, "samples": 8000})");
  ASSERT_TRUE(recipe) << recipe.error().message;
  EXPECT_EQ(recipe->input, "x");
  EXPECT_EQ(recipe->height, 48);
  EXPECT_EQ(recipe->width, 320);
  EXPECT_EQ(recipe->fit, Recipe::Fit::pad);
  EXPECT_EQ(recipe->colours, Recipe::Colours::bgr);
  EXPECT_EQ(recipe->channels_last, true);
  EXPECT_THAT(recipe->mean, ElementsAre(1, 2, 3));
  EXPECT_THAT(recipe->deviation, ElementsAre(0.5));
  EXPECT_EQ(recipe->sample_rate, 16000);
}

TEST(Recipe, WhatIsWrong) {
  const auto message = [](const char* json) { return parse_recipe(json).error().message; };
  EXPECT_THAT(message("["), HasSubstr("line 1, column 2: syntax error"));
  EXPECT_THAT(message("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(message(R"({"size": 1, "size": 2})"), HasSubstr("the key 'size' is there twice"));
  EXPECT_THAT(message(R"({"sise": 1})"), HasSubstr("unknown key 'sise'; there are input, size"));
  EXPECT_THAT(message(R"({"size": 224})"), HasSubstr("[height, width]"));
  EXPECT_THAT(message(R"({"size": [0, 224]})"), HasSubstr("from 1 to 16384"));
  EXPECT_THAT(message(R"({"size": [1e30, 224]})"), HasSubstr("from 1 to 16384"));
  EXPECT_THAT(message(R"({"mean": [1, 2]})"), HasSubstr("has 2 numbers"));
  EXPECT_THAT(message(R"({"mean": "a"})"), HasSubstr("must be a number"));
  EXPECT_THAT(message(R"({"std": 0})"), HasSubstr("0 divides nothing"));
  EXPECT_THAT(message(R"({"fit": "squash"})"), HasSubstr("one of stretch, crop, pad"));
  EXPECT_THAT(message(R"({"scale": "big"})"), HasSubstr("must be a number"));
}

}  // namespace
}  // namespace subbyte
