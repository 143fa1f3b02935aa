// What inputs hold, by what reads them.
#include "samples/input_content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "graph/infer.h"
#include "graph/text.h"

namespace subbyte {
namespace {

using testing::Optional;
using testing::Pair;

Model model_of(const std::string& body) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n" + body + "}");
  if (!model) throw std::runtime_error(model.error().message);
  if (auto inferred = infer(*model); !inferred) throw std::runtime_error(inferred.error().message);
  return std::move(*model);
}

InputContent content_of(const std::string& body) { return input_contents(model_of(body)).front(); }

// A picture of three channels after `first`, steps on %x that leave %picture.
std::string network(const std::string& first) {
  return R"(  input %x : float32 [batch, 3, height, width]
  value %kernel : float32 [1, 3, 1, 1] = {1, 2, 3}
)" + first +
         R"(  %y = Conv(%picture, %kernel) {kernel_shape = [1, 1], strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1}
  output %y
)";
}

TEST(InputContent, AnImageByItsConvolution) {
  const auto found = content_of(network("  %picture = Identity(%x)\n"));
  EXPECT_EQ(found.content, Content::image);
  EXPECT_THAT(found.planes.channels, Optional(1u));
  EXPECT_EQ(found.planes.height, 2u);
  EXPECT_FALSE(found.range);
}

TEST(InputContent, AnImageWhoseChannelsComeLast) {
  const auto found = content_of(R"(  input %x : float32 [batch, height, width, 3]
  value %kernel : float32 [1, 3, 1, 1] = {1, 2, 3}
  %picture = Transpose(%x) {perm = [0, 3, 1, 2]}
  %y = Conv(%picture, %kernel) {kernel_shape = [1, 1], strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1}
  output %y
)");
  EXPECT_EQ(found.content, Content::image);
  EXPECT_THAT(found.planes.channels, Optional(3u));
  EXPECT_EQ(found.planes.height, 1u);
}

TEST(InputContent, TheRangeThatAModelRescales) {
  EXPECT_THAT(content_of(network(R"(  value %c : float32 [] = {255}
  %picture = Div(%x, %c)
)"))
                  .range,
              Optional(Pair(0.0f, 255.0f)));
  EXPECT_THAT(content_of(network(R"(  value %m : float32 [1, 3, 1, 1] = {0.485, 0.456, 0.406}
  value %s : float32 [1, 3, 1, 1] = {0.229, 0.224, 0.225}
  %centered = Sub(%x, %m)
  %picture = Div(%centered, %s)
)"))
                  .range,
              Optional(Pair(0.0f, 1.0f)));
  EXPECT_THAT(content_of(network(R"(  value %half : float32 [] = {0.5}
  %scaled = Mul(%x, %half)
  %picture = Add(%scaled, %half)
)"))
                  .range,
              Optional(Pair(-1.0f, 1.0f)));
  EXPECT_THAT(content_of(network(R"(  value %c : float32 [] = {127.5}
  %centered = Sub(%x, %c)
  %picture = Div(%centered, %c)
)"))
                  .range,
              Optional(Pair(0.0f, 255.0f)));
}

// Waveforms and spectrograms are what a convolution along time reads; names
// tell what shapes do not.
TEST(InputContent, Sounds) {
  const auto along_time = [](const std::string& input, const std::string& kernel) {
    return content_of("  input " + input + "\n  value %kernel : float32 " + kernel +
                      R"(
  %y = Conv(%x, %kernel) {kernel_shape = [1], strides = [1], pads = [0, 0], dilations = [1], group = 1}
  output %y
)");
  };
  const auto wave = along_time("%x : float32 [batch, 1, n]", "[1, 1, 1] = {1}");
  EXPECT_EQ(wave.content, Content::waveform);
  EXPECT_EQ(wave.time, 2u);
  std::string ones = "1";
  for (int i = 1; i < 80; ++i) ones += ", 1";
  const auto mel = along_time("%x : float32 [batch, 80, n]", "[1, 80, 1] = {" + ones + "}");
  EXPECT_EQ(mel.content, Content::spectrogram);
  EXPECT_EQ(mel.planes.height, 1u);
  EXPECT_EQ(mel.planes.width, 2u);
}

TEST(InputContent, AWaveformByItsNameAndChannel) {
  const auto found = content_of(
      "  input %audio : float32 [batch, 1, n]\n  %y "
      "= Abs(%audio)\n  output %y\n");
  EXPECT_EQ(found.content, Content::waveform);
  EXPECT_EQ(found.time, 2u);
}

TEST(InputContent, IdsOfATable) {
  const auto tokens = content_of(R"(  input %x : int64 [batch, n]
  value %table : float32 [5, 1] = {1, 2, 3, 4, 5}
  %y = Gather(%table, %x) {axis = 0}
  output %y
)");
  EXPECT_EQ(tokens.content, Content::tokens);
  EXPECT_EQ(tokens.limit, 5);
  const auto segments = content_of(R"(  input %x : int64 [batch, n]
  value %table : float32 [2, 1] = {1, 2}
  %y = Gather(%table, %x) {axis = 0}
  output %y
)");
  EXPECT_EQ(segments.content, Content::segments);
  // What is added to ids leaves fewer of them.
  const auto moved = content_of(R"(  input %x : int64 [batch, n]
  value %table : float32 [7, 1] = {1, 2, 3, 4, 5, 6, 7}
  value %two : int64 [] = {2}
  %row = Add(%x, %two)
  %y = Gather(%table, %row) {axis = 0}
  output %y
)");
  EXPECT_EQ(moved.limit, 5);
}

TEST(InputContent, ANumberThatTheModelComparesWith) {
  const auto found = content_of(R"(  input %rate : int64 []
  value %wide : int64 [] = {16000}
  %y = Equal(%rate, %wide)
  output %y
)");
  EXPECT_EQ(found.content, Content::constant);
  EXPECT_EQ(found.constant, 16000);
}

// A mask that is added hides nothing where it is 0; one that is a factor where
// it is 1.
TEST(InputContent, MasksOfFloats) {
  const auto found = [](const std::string& op) {
    return content_of(
               "  input %mask : float32 [batch, n]\n  input %x : "
               "float32 [batch, n]\n  %y = " +
               op + "(%x, %mask)\n  output %y\n")
        .content;
  };
  EXPECT_EQ(found("Add"), Content::padding);
  EXPECT_EQ(found("Mul"), Content::mask);
}

TEST(InputContent, WhatWasMeasuredBeforeIsNoCache) {
  const auto found = [](const std::string& name) {
    return content_of("  input %" + name + " : float32 [batch, n, 3]\n  %y = Relu(%" + name +
                      ")\n  output %y\n")
        .content;
  };
  EXPECT_EQ(found("past_values"), Content::series);
  EXPECT_EQ(found("past_key_values.0.key"), Content::cache);
}

}  // namespace
}  // namespace subbyte
