// Samples that a model runs on, apart for tuning and for judging.
#include "samples/made_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>

#include "graph/infer.h"
#include "graph/text.h"

namespace subbyte {
namespace {

using Dims = std::vector<std::int64_t>;

Model model_of(const std::string& body) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n" + body + "}");
  if (!model) throw std::runtime_error(model.error().message);
  if (auto inferred = infer(*model); !inferred) throw std::runtime_error(inferred.error().message);
  return std::move(*model);
}

SampleSet made(const Model& model, const SampleOptions& options = {}) {
  auto set = make_samples(model, options);
  if (!set) throw std::runtime_error(set.error().message);
  return std::move(*set);
}

bool same(const Sample& a, const Sample& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto &x = a[i].data, &y = b[i].data;
    if (x.size() != y.size() || std::memcmp(x.data(), y.data(), x.size()) != 0) return false;
  }
  return true;
}

constexpr const char* kProduct = R"(  input %x : float32 [batch, n, 3]
  value %w : float32 [3, 2] = {1, 2, 3, 4, 5, 6}
  %y = MatMul(%x, %w)
  output %y
)";

TEST(MadeSamples, NoTwoAreTheSame) {
  const Model model = model_of(kProduct);
  const SampleSet set = made(model, {.tuning = 3, .held_out = 2});
  std::vector<Sample> all = set.tuning;
  all.insert(all.end(), set.held_out.begin(), set.held_out.end());
  const SampleSet other = made(model, {.seed = 2, .tuning = 3, .held_out = 2});
  all.insert(all.end(), other.tuning.begin(), other.tuning.end());
  all.insert(all.end(), other.held_out.begin(), other.held_out.end());
  ASSERT_EQ(all.size(), 10u);
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) EXPECT_FALSE(same(all[i], all[j])) << i << ", " << j;
  EXPECT_EQ(set.made_of, "random numbers");
}

// Where nothing tells what they are like, every kind comes in turn, in more samples where they cost
// little.
TEST(MadeSamples, AreOfAllKindsThatRealOnesMayBeOf) {
  const SampleSet few = made(model_of(kProduct), {.tuning = 8, .held_out = 7});
  EXPECT_THAT(few.tuning_kinds, testing::ElementsAre(0, 1, 2, 3, 4, 5, 0, 1));
  EXPECT_EQ(few.held_out_kinds.size(), few.held_out.size());
  const SampleSet more = made(model_of(kProduct), {.tuning = 8, .held_out = 7, .more_of_kinds = 3});
  EXPECT_EQ(more.tuning.size(), 24u);
  EXPECT_EQ(more.held_out_kinds.size(), 21u);
  const Model tells = model_of(R"(  input %x : float32 [batch, 3]
  value %mean : float32 [3] = {1, 2, 3}
  %y = Sub(%x, %mean)
  output %y
)");
  EXPECT_THAT(made(tells, {.more_of_kinds = 3}).tuning_kinds, testing::IsEmpty());
  const Model images =
      model_of("  input %x : float32 [1, 3, 8, 8]\n  %y = Relu(%x)\n  output %y\n");
  EXPECT_THAT(made(images, {.tuning = 5}).tuning_kinds, testing::ElementsAre(0, 1, 2, 3, 0));
}

TEST(MadeSamples, TheSameAgain) {
  const Model model = model_of(kProduct);
  const SampleSet a = made(model), b = made(model);
  ASSERT_EQ(a.tuning.size(), b.tuning.size());
  for (std::size_t i = 0; i < a.tuning.size(); ++i) EXPECT_TRUE(same(a.tuning[i], b.tuning[i]));
}

TEST(MadeSamples, AsManyAsTheWorkAllows) {
  const Model model = model_of(kProduct);
  const SampleSet set = made(model, {.tuning = 8, .held_out = 8});
  EXPECT_EQ(set.work_each, 32 * 3 * 2);
  const SampleSet fewer = made(model, {.tuning = 8, .held_out = 8, .work = 7 * set.work_each});
  EXPECT_EQ(fewer.tuning.size() + fewer.held_out.size(), 7u);
  const SampleSet least = made(model, {.work = 1});
  EXPECT_EQ(least.tuning.size(), 1u);
  EXPECT_EQ(least.held_out.size(), 1u);
}

// A convolution over more than the usual picture takes a larger one.
TEST(MadeSamples, OtherSizesWhereTheFirstDoNotRun) {
  const Model model = model_of(R"(  input %ids : int64 [batch, n]
  value %table : float32 [6, 1] = {1, 2, 3, 4, 5, 6}
  value %places : float32 [9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}
  value %one : int64 [] = {1}
  value %zero : int64 [] = {0}
  %shape = Shape(%ids)
  %n = Gather(%shape, %one) {axis = 0}
  %range = Range(%zero, %n, %one)
  %place = Gather(%places, %range) {axis = 0}
  %word = Gather(%table, %ids) {axis = 0}
  output %word
  output %place
)");
  const SampleSet set = made(model);
  EXPECT_EQ(set.tuning[0][0].dims, (Dims{1, 8}));
}

TEST(MadeSamples, AModelThatRunsOnNothing) {
  const Model model = model_of(R"(  input %x : float32 [2, n]
  value %three : float32 [3, 1] = {1, 2, 3}
  value %two : float32 [2, 1] = {1, 2}
  %y = MatMul(%x, %three)
  %z = MatMul(%x, %two)
  output %y
  output %z
)");
  EXPECT_FALSE(make_samples(model));
}

}  // namespace
}  // namespace subbyte
