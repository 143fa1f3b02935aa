#include "quantize/trained.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "graph/infer.h"
#include "graph/text.h"
#include "quantize/uses.h"

namespace subbyte {
namespace {

std::string weight(const std::string& name, const std::vector<std::int64_t>& dims,
                   double value = 0.5) {
  std::int64_t count = 1;
  for (const std::int64_t d : dims) count *= d;
  // Not all alike, as a table of angles begins.
  std::vector<std::string> elements;
  for (std::int64_t i = 0; i < count; ++i) {
    elements.push_back(fmt::format("{:.4f}", value * (1 - 0.25 * static_cast<double>(i % 3))));
  }
  return fmt::format("  value %{} : float32 [{}] = {{{}}}\n", name, fmt::join(dims, ", "),
                     fmt::join(elements, ", "));
}

// The kind of the weight %c in a graph of an input %x : float32 [4, 8] and %p : int64 [4, 1].
WeightUse use_of_c(const std::string& weights, const std::string& nodes) {
  auto model = parse_model(
      "model \"m\"\ngraph \"main\" {\n  input %x : float32 [4, 8]\n  input %p : int64 [4, 1]\n" +
      weights + weight("w", {8, 8}) + "  value %half : float32 [] = {0.5}\n" + nodes +
      "  output %y\n}\n");
  EXPECT_TRUE(model) << model.error().message;
  if (!model) return {};
  const auto inferred = infer(*model);
  EXPECT_TRUE(inferred) << inferred.error().message;
  for (const WeightUse& use : find_weight_uses(*model)) {
    if (model->main().values[use.value].name == "c") return use;
  }
  ADD_FAILURE() << "c is not used";
  return {};
}

WeightUseKind kind(const std::vector<std::int64_t>& dims, const std::string& nodes) {
  return use_of_c(weight("c", dims), nodes).kind;
}

const std::string kProduct = "  %h = MatMul(%x, %w)\n";

// As the biases of relative positions are; a table that ids pick from is an embedding.
TEST(TrainedOperands, WhatIsTakenAtKnownPlacesIsNoEmbedding) {
  const std::string table = weight("c", {5, 8}) + "  value %at : int64 [4] = {0, 3, 1, 4}\n";
  const std::string sum = "  %s = Add(%h, %g)\n  %y = MatMul(%s, %w)\n";
  EXPECT_EQ(use_of_c(table, kProduct + "  %g = Gather(%c, %at) {axis = 0}\n" + sum).kind,
            WeightUseKind::bias);
  EXPECT_EQ(
      use_of_c(table, "  value %ids : int64 [1] = {4}\n" + kProduct +
                          "  %q = Reshape(%p, %ids)\n  %g = Gather(%c, %q) {axis = 0}\n" + sum)
          .kind,
      WeightUseKind::embedding);
}

TEST(TrainedOperands, BiasesAndScalesOfProducts) {
  EXPECT_EQ(kind({8}, kProduct + "  %y = Add(%h, %c)\n"), WeightUseKind::bias);
  EXPECT_EQ(kind({1, 8}, kProduct + "  %y = Sub(%h, %c)\n"), WeightUseKind::bias);
  EXPECT_EQ(kind({8}, kProduct + "  %y = Mul(%c, %h)\n"), WeightUseKind::scale);
  EXPECT_EQ(kind({8}, kProduct + "  %s = Mul(%h, %half)\n  %y = Add(%s, %c)\n"),
            WeightUseKind::bias);
  EXPECT_EQ(kind({8}, "  %y = Gemm(%x, %w, %c)\n"), WeightUseKind::bias);
  EXPECT_EQ(use_of_c("  value %s : int64 [4] = {1, 1, 4, 8}\n" + weight("k", {8, 1, 1, 1}) +
                         weight("c", {8}),
                     "  %i = Reshape(%x, %s)\n  %y = Conv(%i, %k, %c)\n")
                .kind,
            WeightUseKind::bias);
  // Along the rows, or of another number of elements.
  EXPECT_EQ(kind({4, 1}, kProduct + "  %y = Add(%h, %c)\n"), WeightUseKind::other);
  EXPECT_EQ(kind({4, 8}, kProduct + "  %y = Add(%h, %c)\n"), WeightUseKind::other);
  EXPECT_EQ(kind({8}, kProduct + "  %y = Sub(%c, %h)\n"), WeightUseKind::other);
}

TEST(TrainedOperands, ABiasIsMeasuredBesideItsProduct) {
  const WeightUse use =
      use_of_c(weight("c", {8}, 100), kProduct + "  %s = Mul(%h, %half)\n  %y = Add(%s, %c)\n");
  // sqrt(8 * mean of .5^2, .375^2, .25^2) / 2
  EXPECT_NEAR(use.beside, 0.5 * std::sqrt(8 * 0.15234), 0.03);
  EXPECT_EQ(use.range.largest, 100);
}

TEST(TrainedOperands, Normalisations) {
  EXPECT_EQ(kind({8}, "  %y = LayerNormalization(%x, %c) {axis = -1}\n"), WeightUseKind::scale);
  const std::string spelled =
      "  %m = ReduceMean(%x)\n  %d = Sub(%x, %m)\n  %v = ReduceMean(%d)\n"
      "  %e = Add(%v, %half)\n  %r = Sqrt(%e)\n  %n = Div(%d, %r)\n";
  EXPECT_EQ(kind({8}, spelled + "  %y = Mul(%n, %c)\n"), WeightUseKind::scale);
  EXPECT_EQ(kind({8}, spelled + "  %y = Add(%n, %c)\n"), WeightUseKind::bias);
}

TEST(TrainedOperands, WhatEntersInputsAndAngles) {
  EXPECT_EQ(kind({8}, "  %y = Sub(%x, %c)\n"), WeightUseKind::other);
  EXPECT_EQ(kind({8}, "  %d = Div(%x, %c)\n  %y = MatMul(%d, %w)\n"), WeightUseKind::other);
  EXPECT_EQ(kind({8}, kProduct + "  %a = Mul(%h, %c)\n  %y = Sin(%a)\n"), WeightUseKind::other);
  EXPECT_EQ(kind({8}, kProduct + "  %y = Pow(%h, %c)\n"), WeightUseKind::other);
}

TEST(TrainedOperands, MatricesOfAnglesAreNotTrained) {
  const std::string position = "  %f = Cast(%p) {to = 1}\n";
  EXPECT_EQ(kind({1, 8}, position + "  %a = MatMul(%f, %c)\n  %y = Cos(%a)\n"),
            WeightUseKind::other);
  EXPECT_EQ(kind({1, 8}, position + "  %y = MatMul(%f, %c)\n"), WeightUseKind::matmul);
  EXPECT_EQ(kind({8, 8}, "  %a = MatMul(%x, %c)\n  %y = Sin(%a)\n"), WeightUseKind::other);
  // A network of sines: the products between them are trained.
  EXPECT_EQ(kind({8, 8}, kProduct + "  %s = Sin(%h)\n  %a = MatMul(%s, %c)\n  %y = Sin(%a)\n"),
            WeightUseKind::matmul);
}

TEST(TrainedOperands, SmallMapsOfPointsAndColoursAreNotTrained) {
  // Of raw points, and of features.
  EXPECT_EQ(use_of_c("  value %r : int64 [2] = {16, 2}\n" + weight("c", {2, 3}),
                     "  %i = Reshape(%x, %r)\n  %y = MatMul(%i, %c)\n")
                .kind,
            WeightUseKind::other);
  EXPECT_EQ(use_of_c("  value %r : int64 [2] = {16, 2}\n" + weight("c", {2, 3}),
                     kProduct + "  %i = Reshape(%h, %r)\n  %y = MatMul(%i, %c)\n")
                .kind,
            WeightUseKind::matmul);
  EXPECT_EQ(use_of_c("  value %r : int64 [4] = {1, 2, 4, 4}\n" + weight("c", {3, 2, 1, 1}),
                     "  %i = Reshape(%x, %r)\n  %y = Conv(%i, %c)\n")
                .kind,
            WeightUseKind::other);
  // Corners of boxes, of centres and sizes.
  EXPECT_EQ(use_of_c("  value %r : int64 [2] = {8, 4}\n"
                     "  value %c : float32 [4, 4] = {1, 0, 1, 0, 0, 1, 0, 1, -0.5, 0, 0.5, 0, 0, "
                     "-0.5, 0, 0.5}\n",
                     kProduct + "  %i = Reshape(%h, %r)\n  %y = MatMul(%i, %c)\n")
                .kind,
            WeightUseKind::other);
}

TEST(TrainedOperands, WhatAPowerIsTakenOf) {
  EXPECT_EQ(kind({8}, kProduct + "  %s = Add(%h, %c)\n  %y = Exp(%s)\n"), WeightUseKind::other);
  EXPECT_EQ(kind({8}, "  %h = Gemm(%x, %w, %c)\n  %y = Exp(%h)\n"), WeightUseKind::other);
  // An activation: what comes after is no power of it.
  EXPECT_EQ(kind({8}, kProduct + "  %s = Add(%h, %c)\n  %e = Exp(%s)\n  %y = MatMul(%e, %w)\n"),
            WeightUseKind::bias);
}

TEST(TrainedOperands, Anchors) {
  const std::string ranked = kProduct + "  %i = ArgMax(%h) {axis = 1, keepdims = 0}\n";
  EXPECT_EQ(kind({16, 4}, ranked + "  %y = Gather(%c, %i)\n"), WeightUseKind::other);
  EXPECT_EQ(kind({16, 8}, ranked + "  %y = Gather(%c, %i)\n"), WeightUseKind::embedding);
  EXPECT_EQ(kind({16, 4}, "  %y = Gather(%c, %p)\n"), WeightUseKind::embedding);
  // Boxes added to features of three axes, before a product.
  const std::string boxes = kProduct +
                            "  %r = Reshape(%h, %to)\n  %a = Add(%r, %c)\n"
                            "  %b = Reshape(%a, %from)\n  %y = MatMul(%b, %w)\n";
  const std::string dims =
      "  value %to : int64 [3] = {1, 8, 4}\n  value %from : int64 [2] = {4, 8}\n";
  EXPECT_EQ(use_of_c(dims + weight("c", {1, 8, 4}), boxes).kind, WeightUseKind::other);
  const std::string positions =
      "  value %to : int64 [3] = {1, 4, 8}\n"
      "  value %from : int64 [2] = {4, 8}\n";
  EXPECT_EQ(use_of_c(positions + weight("c", {1, 4, 8}), boxes).kind, WeightUseKind::bias);
}

TEST(TrainedOperands, WhatAFormulaGivesIsNotTrained) {
  const std::string ramp = "  value %c : float32 [8, 1] = {0, 1, 2, 3, 4, 5, 6, 7}\n";
  EXPECT_EQ(use_of_c(ramp, kProduct + "  %s = Softmax(%h)\n  %y = MatMul(%s, %c)\n").kind,
            WeightUseKind::other);
  EXPECT_EQ(kind({8, 1}, kProduct + "  %s = Softmax(%h)\n  %y = MatMul(%s, %c)\n"),
            WeightUseKind::matmul);
}

TEST(TrainedOperands, Tables) {
  EXPECT_EQ(kind({16, 8}, "  %y = Gather(%c, %p)\n"), WeightUseKind::embedding);
  EXPECT_EQ(kind({16, 8}, "  %g = Gather(%c, %p)\n  %y = Cos(%g)\n"), WeightUseKind::other);
  // Positions added to features, which a product goes on with; and anchors, which are results.
  EXPECT_EQ(kind({4, 8}, kProduct + "  %a = Add(%h, %c)\n  %y = MatMul(%a, %w)\n"),
            WeightUseKind::bias);
  EXPECT_EQ(kind({4, 8}, "  %a = Add(%x, %c)\n  %y = MatMul(%a, %w)\n"), WeightUseKind::other);
}

TEST(TrainedOperands, WhatADefinitionGivesIsNotTrained) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n  input %x : float32 [4, 8]\n" +
                           weight("c", {8, 8}) + "  %y = MatMul(%x, %c)\n  output %y\n}\n");
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_TRUE(infer(*model));
  EXPECT_EQ(find_weight_uses(*model).at(0).kind, WeightUseKind::matmul);
  for (Value& value : model->main().values) value.is_defined = value.constant.has_value();
  EXPECT_EQ(find_weight_uses(*model).at(0).kind, WeightUseKind::other);
}

}  // namespace
}  // namespace subbyte
