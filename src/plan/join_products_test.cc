#include "plan/join_products.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "graph/infer.h"
#include "graph/text.h"
#include "plan/lower.h"
#include "plan/test_weights.h"
#include "plan/weight_code.h"

namespace subbyte {
namespace {

using testing::ElementsAre;

struct Joined {
  Model model;
  std::map<ValueId, StoredWeight> stored;

  // The kernels' steps, by the names of their nodes.
  std::vector<std::string> steps() {
    const auto plan = lower(model, stored);
    EXPECT_TRUE(plan) << plan.error().message;
    std::vector<std::string> names;
    for (const PlanStep& step : plan->steps) names.push_back(step.name);
    return names;
  }

  std::vector<StoredWeight> weights() {
    const auto plan = lower(model, stored);
    EXPECT_TRUE(plan) << plan.error().message;
    return plan->weights;
  }
};

// A constant of numbers that are nothing in particular, the largest `largest`.
std::string numbers(const std::string& name, std::int64_t rows, std::int64_t cols,
                    double largest = 1) {
  std::string elements;
  std::mt19937 random(static_cast<unsigned>(name[0]));
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    const auto part = static_cast<double>(random() % 201);
    elements += fmt::format("{}{}", i == 0 ? "" : ", ", (part / 100 - 1) * largest);
  }
  const std::string dims = rows == 1 ? fmt::format("{}", cols) : fmt::format("{}, {}", rows, cols);
  return fmt::format("  value %{} : float32 [{}] = {{{}}}\n", name, dims, elements);
}

Joined model_of(const std::string& body, std::string_view precision) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n" + body + "}\n");
  EXPECT_TRUE(model) << model.error().message;
  const auto inferred = infer(*model);
  EXPECT_TRUE(inferred) << inferred.error().message;
  auto stored = weights_stored_at(*model, precision);
  return {std::move(*model), std::move(stored)};
}

// q, k and v [b, 64] of x [b, 384], as two products of them.
const std::string kHeads = R"(
  %turned = Transpose(%k) {perm = [1, 0]}
  %scores = MatMul(%q, %turned)
  %y = MatMul(%scores, %v)
  output %y
)";

std::string attention(double largest_of_k = 1) {
  return "  input %x : float32 [b, 384]\n" + numbers("wq", 384, 64) +
         numbers("kw", 384, 64, largest_of_k) + numbers("vw", 384, 64) + numbers("bq", 1, 64) +
         numbers("bk", 1, 64) + numbers("bv", 1, 64);
}

const std::string kBiased = R"(
  %qp = MatMul(%x, %wq)
  %q = Add(%qp, %bq)
  %kp = MatMul(%x, %kw)
  %k = Add(%bk, %kp)
  %vp = MatMul(%x, %vw)
  %v = Add(%vp, %bv)
)";

TEST(JoinProducts, QueriesKeysAndValuesAreOneProduct) {
  Joined joined = model_of(attention() + kBiased + kHeads, "4bit");
  EXPECT_THAT(joined.steps(), ElementsAre("MatMul.0", "MatMul.4", "MatMul.5"));
}

// Words lie between the zero points, which begin at multiples of 256: of 64 rows of 12 groups, at 6
// bits each, 576 bytes.
TEST(JoinProducts, EachMemberBeginsAligned) {
  const auto weights = model_of(attention() + kBiased + kHeads, "4bit").weights();
  ASSERT_EQ(weights.size(), 2u);
  const StoredWeight& all = weights[0].rows > 1 ? weights[0] : weights[1];
  EXPECT_EQ(all.rows, 192);
  ASSERT_EQ(members_of(all).size(), 3u);
  std::vector<std::int64_t> ends;
  for (std::size_t m = 0; m < 3; ++m) {
    const auto parts = member_parts(all, m);
    ASSERT_EQ(parts.size(), 3u);
    for (const WeightPart& part : parts) EXPECT_EQ(part.offset % kPartAlignment, 0);
    EXPECT_EQ(parts[2].bytes, 576);
    ends.push_back(parts[2].offset - parts[0].offset);
  }
  const auto parts = weight_parts(all);
  EXPECT_EQ(parts[0].bytes, 3 * 64 * 192);
  EXPECT_EQ(parts[2].bytes, 2 * 768 + 576);
  EXPECT_EQ(stored_bytes(all), parts[2].offset + parts[2].bytes);
  EXPECT_THAT(reader_hooks(all), testing::HasSubstr("w_zeros[i + select(0u, 48u, i >= 144u) + "
                                                    "select(0u, 48u, i >= 288u)]"));
}

// One exponent serves weights of the same input, unless their sizes are far apart.
TEST(JoinProducts, WeightsOfOneInputShareAnExponent) {
  EXPECT_EQ(model_of(attention(20) + kBiased + kHeads, "4bit").steps().size(), 3u);
  EXPECT_EQ(model_of(attention(1000) + kBiased + kHeads, "4bit").steps().size(), 4u);
}

TEST(JoinProducts, GemmsWithTheirBiases) {
  const std::string gemms = R"(
  %q = Gemm(%x, %wq, %bq)
  %k = Gemm(%x, %kw, %bk)
  %v = Gemm(%x, %vw, %bv)
)";
  EXPECT_THAT(model_of(attention() + gemms + kHeads, "8bit").steps(),
              ElementsAre("Gemm.0", "MatMul.3", "MatMul.4"));
  const std::string unlike = R"(
  %q = Gemm(%x, %wq, %bq) {alpha = 2f}
  %k = Gemm(%x, %kw, %bk)
  %v = Gemm(%x, %vw, %bv)
)";
  EXPECT_EQ(model_of(attention() + unlike + kHeads, "8bit").steps().size(), 4u);
}

// Kernels of their own compute what is read at the same places, and outputs.
TEST(JoinProducts, ProductsThatAreComputedOnStayApart) {
  const std::string gate = R"(
  %qp = MatMul(%x, %wq)
  %q = Sigmoid(%qp)
  %kp = MatMul(%x, %kw)
  %k = Mul(%kp, %q)
  %v = MatMul(%x, %vw)
)";
  EXPECT_EQ(model_of(attention() + gate + kHeads, "4bit").steps().size(), 5u);
  const std::string left = attention() + kBiased + kHeads + "  output %q\n";
  EXPECT_EQ(model_of(left, "4bit").steps().size(), 4u);
}

// As products with weights in blocks become; they share an exponent too.
TEST(JoinProducts, WeightsThatAreTransposed) {
  const std::string turned = "  input %x : float32 [b, 384]\n" + numbers("wq", 64, 384) +
                             numbers("kw", 64, 384, 20) + numbers("vw", 64, 384) + R"(
  %qt = Transpose(%wq) {perm = [1, 0]}
  %q = MatMul(%x, %qt)
  %kt = Transpose(%kw) {perm = [1, 0]}
  %k = MatMul(%x, %kt)
  %vt = Transpose(%vw) {perm = [1, 0]}
  %v = MatMul(%x, %vt)
)" + kHeads;
  EXPECT_THAT(model_of(turned, "4bit").steps(), ElementsAre("MatMul.1", "MatMul.4", "MatMul.5"));
}

TEST(JoinProducts, AWeightThatIsReadTwiceStaysApart) {
  const std::string twice = R"(
  %qp = MatMul(%x, %wq)
  %q = Add(%qp, %bq)
  %kp = MatMul(%x, %wq)
  %k = Add(%bk, %kp)
  %vp = MatMul(%x, %vw)
  %v = Add(%vp, %bv)
)";
  EXPECT_EQ(model_of(attention() + twice + kHeads, "4bit").steps().size(), 5u);
}

// No run meets a limit on the size of a tensor that it would not meet else.
TEST(JoinProducts, TheResultIsSmallOrNoLargerThanAnother) {
  const std::string weights = numbers("wq", 64, 64) + numbers("kw", 64, 64) + numbers("vw", 64, 64);
  const std::string apart = R"(
  %q = MatMul(%x, %wq)
  %k = MatMul(%x, %kw)
  %v = MatMul(%x, %vw)
  %y = Softmax(%q) {axis = 1}
  %z = Softmax(%k) {axis = 1}
  %w = Softmax(%v) {axis = 1}
  output %y
  output %z
  output %w
)";
  const auto steps = [&](const std::string& rows, const std::string& more) {
    const std::string x = "  input %x : float32 [" + rows + ", 64]\n";
    return model_of(more + x + weights + apart, "4bit").steps().size();
  };
  EXPECT_EQ(steps("150000", ""), 4u);
  EXPECT_EQ(steps("200000", ""), 5u);  // two of them
  EXPECT_EQ(steps("b", ""), 6u);
  EXPECT_EQ(steps("b", "  input %wide : float32 [b, 192]\n"), 4u);
  EXPECT_EQ(steps("b", "  input %wide : float32 [b, 191]\n"), 5u);
}

}  // namespace
}  // namespace subbyte
