#include "quantize/uses.h"

#include <gtest/gtest.h>

#include "graph/infer.h"
#include "graph/text.h"

namespace subbyte {
namespace {

std::string zeros(int count) {
  std::string text = "0.0";
  for (int i = 1; i < count; ++i) text += ", 0.0";
  return "{" + text + "}";
}

// The first use of a model with one weight %w of these dimensions, read by these nodes.
WeightUse use_of(const std::string& dims, int elements, const std::string& input,
                 const std::string& nodes, std::size_t count = 1,
                 const std::string& input_type = "float32") {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n  input %x : " + input_type + " [" +
                           input + "]\n  value %w : float32 [" + dims + "] = " + zeros(elements) +
                           "\n" + nodes + "  output %y\n}\n");
  EXPECT_TRUE(model) << model.error().message;
  if (!model) return {};
  const auto inferred = infer(*model);
  EXPECT_TRUE(inferred) << inferred.error().message;
  const auto uses = find_weight_uses(*model);
  EXPECT_EQ(uses.size(), count);
  return uses.empty() ? WeightUse{} : uses.front();
}

void expect(const WeightUse& use, WeightUseKind kind, const AxisOrder& order, std::int64_t rows,
            std::int64_t k) {
  EXPECT_EQ(use.kind, kind);
  EXPECT_EQ(use.order, order);
  EXPECT_EQ(use.rows, rows);
  EXPECT_EQ(use.k, k);
}

TEST(WeightUses, Recurrences) {
  expect(use_of("1, 8, 4", 32, "3, 1, 4",
                "  value %r : float32 [1, 8, 2] = " + zeros(16) + "\n  %y = LSTM(%x, %w, %r)\n", 2),
         WeightUseKind::matmul, {{0, 1}, {2}}, 8, 4);
}

TEST(WeightUses, Products) {
  expect(use_of("4, 6", 24, "5, 4", "  %y = MatMul(%x, %w)\n"), WeightUseKind::matmul, {{1}, {0}},
         6, 4);
  expect(
      use_of("6, 4", 24, "5, 4", "  %t = Transpose(%w) {perm = [1, 0]}\n  %y = MatMul(%x, %t)\n"),
      WeightUseKind::matmul, {{0}, {1}}, 6, 4);
  expect(use_of("6, 4", 24, "5, 4", "  %y = Gemm(%x, %w) {transB = 1}\n"), WeightUseKind::gemm,
         {{0}, {1}}, 6, 4);
  expect(use_of("6, 5", 30, "5, 4", "  %y = MatMul(%w, %x)\n"), WeightUseKind::matmul, {{0}, {1}},
         6, 5);
  expect(use_of("5, 6", 30, "5, 4", "  %y = Gemm(%w, %x) {transA = 1}\n"), WeightUseKind::gemm,
         {{1}, {0}}, 6, 5);
}

TEST(WeightUses, OneMatrixForEachPlace) {
  expect(use_of("3, 4, 6", 72, "3, 5, 4", "  %y = MatMul(%x, %w)\n"), WeightUseKind::matmul,
         {{0, 2}, {1}}, 18, 4);
  expect(use_of("3, 6, 4", 72, "3, 5, 4",
                "  %t = Transpose(%w) {perm = [0, 2, 1]}\n  %y = MatMul(%x, %t)\n"),
         WeightUseKind::matmul, {{0, 1}, {2}}, 18, 4);
  // Another order of axes is no matrix.
  expect(use_of("4, 3, 6", 72, "3, 5, 4",
                "  %t = Transpose(%w) {perm = [1, 0, 2]}\n  %y = MatMul(%x, %t)\n"),
         WeightUseKind::operand, {{}, {0, 1, 2}}, 1, 72);
}

TEST(WeightUses, Tables) {
  expect(use_of("7, 4", 28, "5", "  %y = Gather(%w, %x)\n", 1, "int64"), WeightUseKind::embedding,
         {{0}, {1}}, 7, 4);
  expect(use_of("3, 7, 2", 42, "5", "  %y = Gather(%w, %x) {axis = 1}\n", 1, "int64"),
         WeightUseKind::embedding, {{1}, {0, 2}}, 7, 6);
  // Rows of one number are no rows.
  expect(use_of("7, 1", 7, "5", "  %y = Gather(%w, %x)\n", 1, "int64"), WeightUseKind::embedding,
         {{}, {0, 1}}, 1, 7);
}

TEST(WeightUses, ThroughParts) {
  expect(use_of("4, 6", 24, "5, 4",
                "  %a, %b = Split(%w) {axis = 1, num_outputs = 2}\n"
                "  %p = MatMul(%x, %a)\n  %q = MatMul(%x, %b)\n  %y = Add(%p, %q)\n"),
         WeightUseKind::matmul, {{1}, {0}}, 6, 4);
}

TEST(WeightUses, Convolutions) {
  expect(use_of("6, 3, 2, 1", 36, "1, 3, 5, 5", "  %y = Conv(%x, %w)\n"), WeightUseKind::conv,
         {{0}, {2, 3, 1}}, 6, 6);
  expect(use_of("6, 1, 3, 3", 54, "1, 6, 5, 5", "  %y = Conv(%x, %w) {group = 6}\n"),
         WeightUseKind::conv, {{0}, {2, 3, 1}}, 6, 9);
  expect(use_of("6, 3, 3", 54, "1, 3, 5", "  %y = Conv(%x, %w)\n"), WeightUseKind::conv,
         {{0}, {2, 1}}, 6, 9);
}

TEST(WeightUses, TransposedConvolutions) {
  const std::string node = "  %y = ConvTranspose(%x, %w)";
  expect(use_of("3, 2, 2, 2", 24, "1, 3, 5, 5", node + " {strides = [2, 2]}\n"),
         WeightUseKind::conv, {{1, 2, 3}, {0}}, 8, 3);
  expect(use_of("3, 2, 2, 2", 24, "1, 3, 5, 5", node + "\n"), WeightUseKind::conv, {{1}, {2, 3, 0}},
         2, 12);
  expect(use_of("4, 3, 2, 2", 48, "1, 4, 5, 5", node + " {group = 2}\n"), WeightUseKind::conv,
         {{0, 1}, {2, 3}}, 12, 4);
}

}  // namespace
}  // namespace subbyte
