// What outputs say, and how losses are counted.
#include "samples/output_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "graph/infer.h"
#include "graph/text.h"
#include "samples/number_tensor.h"

namespace subbyte {
namespace {

using testing::DoubleNear;
using testing::Optional;

Model model_of(const std::string& body) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n" + body + "}");
  if (!model) throw std::runtime_error(model.error().message);
  if (auto inferred = infer(*model); !inferred) throw std::runtime_error(inferred.error().message);
  return std::move(*model);
}

OutputContent content_of(const std::string& body) {
  return output_contents(model_of(body)).front();
}

TEST(OutputContent, ByWhatComputesIt) {
  EXPECT_EQ(content_of("  input %x : float32 [b, 3]\n  %y = Sigmoid(%x)\n  output %y\n").says,
            Says::probabilities);
  EXPECT_EQ(content_of("  input %x : float32 [b, 3]\n  %y = Relu(%x)\n  output %y\n").says,
            Says::numbers);
  const auto softmax = content_of(R"(  input %x : float32 [b, 3, 5]
  %p = Softmax(%x) {axis = 1}
  %y = Transpose(%p) {perm = [0, 2, 1]}
  output %y
)");
  EXPECT_EQ(softmax.says, Says::distribution);
  EXPECT_EQ(softmax.axis, 2u);
  EXPECT_TRUE(content_of(R"(  input %x : float32 [b, 3]
  %y = LogSoftmax(%x) {axis = 1}
  output %y
)")
                  .is_logarithm);
}

TEST(OutputContent, OfALanguageModelWhoseTableIsReadTwice) {
  const auto contents = output_contents(model_of(R"(  input %ids : int64 [1, n]
  input %past_keys : float32 [1, past, 2]
  value %table : float32 [6, 2] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3}
  %x = Gather(%table, %ids) {axis = 0}
  %present_keys = Concat(%past_keys, %x) {axis = 1}
  %turned = Transpose(%table) {perm = [1, 0]}
  %y = MatMul(%x, %turned)
  output %y
  output %present_keys
)"));
  EXPECT_EQ(contents[0].says, Says::logits);
  EXPECT_FALSE(contents[0].is_cache);
  EXPECT_EQ(contents[1].says, Says::numbers);
  EXPECT_TRUE(contents[1].is_cache);
}

TEST(OutputContent, LogitsByNameOrShape) {
  const auto product = [](const std::string& rest, const std::string& name) {
    return content_of("  input %x : float32 [b, " + rest + "3]\n" +
                      "  value %w : float32 [3, 2] = {1, 2, 3, 4, 5, 6}\n  %" + name +
                      " = MatMul(%x, %w)\n  output %" + name + "\n")
        .says;
  };
  EXPECT_EQ(product("", "y"), Says::logits);
  EXPECT_EQ(product("", "image_embeds"), Says::numbers);
  EXPECT_EQ(product("n, ", "y"), Says::numbers);
  EXPECT_EQ(product("n, ", "logits"), Says::logits);
}

Tensor floats(std::vector<std::int64_t> dims, const std::vector<float>& values) {
  return tensor_of(DType::float32, std::move(dims), values);
}

TEST(OutputLoss, RelativeErrorIsOverAllSamples) {
  const std::vector<Tensor> a{floats({2}, {3, 0}), floats({2}, {0, 4})};
  const std::vector<Tensor> b{floats({2}, {3, 0}), floats({2}, {0, 1})};
  const auto loss = output_loss({}, a, b);
  EXPECT_DOUBLE_EQ(loss.relative_l2.value, 3.0 / 5);
  // Both samples, or one of them twice.
  EXPECT_DOUBLE_EQ(loss.relative_l2.low, 0);
  EXPECT_DOUBLE_EQ(loss.relative_l2.high, 3.0 / 4);
  EXPECT_FALSE(loss.flips);
}

TEST(OutputLoss, WhatIsNotFinite) {
  const float nan = std::nanf(""), infinity = HUGE_VALF;
  const auto of = [](float a, float b) {
    return output_loss({}, std::vector{floats({1}, {a})}, std::vector{floats({1}, {b})})
        .relative_l2.value;
  };
  EXPECT_EQ(of(nan, nan), 0);
  EXPECT_EQ(of(infinity, infinity), 0);
  EXPECT_EQ(of(1, infinity), infinity);
  EXPECT_EQ(of(nan, 1), infinity);
  EXPECT_EQ(of(0, 1), infinity);
}

TEST(OutputLoss, DecisionsAndDivergence) {
  const OutputContent content{Says::distribution, 1};
  const std::vector<Tensor> a{floats({2, 2}, {0.75f, 0.25f, 0.5f, 0.5f})};
  const std::vector<Tensor> b{floats({2, 2}, {0.25f, 0.75f, 0.5f, 0.5f})};
  const auto loss = output_loss(content, a, b);
  EXPECT_DOUBLE_EQ(loss.flips->value, 0.5);
  EXPECT_DOUBLE_EQ(loss.top1_agreement->value, 0.5);
  // (.75 log 3 + .25 log 1/3) / 2
  EXPECT_NEAR(loss.kl->value, 0.25 * std::log(3), 1e-9);
}

// The same in logits, along an axis that is not the last.
TEST(OutputLoss, Logits) {
  const OutputContent content{Says::logits, 0};
  const std::vector<Tensor> a{floats({2, 1}, {static_cast<float>(std::log(3)), 0})};
  const std::vector<Tensor> b{floats({2, 1}, {0, static_cast<float>(std::log(3))})};
  const auto loss = output_loss(content, a, b);
  EXPECT_DOUBLE_EQ(loss.flips->value, 1);
  EXPECT_NEAR(loss.kl->value, 0.5 * std::log(3), 1e-6);
  EXPECT_FALSE(loss.top1_agreement);
}

// Of two elements that either model finds one is found by both.
TEST(OutputLoss, ProbabilitiesOfElements) {
  const OutputContent content{Says::probabilities};
  const std::vector<Tensor> a{floats({4}, {0.9f, 0.9f, 0.1f, 0})};
  const std::vector<Tensor> b{floats({4}, {0.9f, 0.2f, 0.1f, 0})};
  EXPECT_DOUBLE_EQ(output_loss(content, a, b).flips->value, 0.5);
}

TEST(OutputLoss, WhatIsCountedOtherwiseIsLost) {
  const std::vector<Tensor> a{floats({2}, {3, 0})}, b{floats({1}, {3})};
  EXPECT_EQ(output_loss({}, a, b).relative_l2.value, 1);
}

TEST(OutputLoss, IntegersByTheShareThatDiffers) {
  const std::int64_t x[] = {1, 2, 3, 4}, y[] = {1, 2, 3, 5};
  const std::vector<Tensor> a{tensor_of(DType::int64, {4}, x)}, b{tensor_of(DType::int64, {4}, y)};
  EXPECT_DOUBLE_EQ(output_loss({}, a, b).relative_l2.value, 0.25);
}

}  // namespace
}  // namespace subbyte
