// Text that a model writes.
#include "samples/written_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "graph/infer.h"
#include "graph/text.h"
#include "samples/made_samples.h"

namespace subbyte {
namespace {

Model model_of(const std::string& body) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n" + body + "}");
  if (!model) throw std::runtime_error(model.error().message);
  if (auto inferred = infer(*model); !inferred) throw std::runtime_error(inferred.error().message);
  return std::move(*model);
}

SampleSet made(const Model& model) {
  auto set = make_samples(model, {.tuning = 4, .held_out = 2});
  if (!set) throw std::runtime_error(set.error().message);
  return std::move(*set);
}

// Six tokens, each of which the model is certain to follow with the next, 5 with 0.
constexpr const char* kCounter = R"(  input %ids : int64 [batch, n]
  value %table : float32 [6, 6] = {0, 99, 0, 0, 0, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 99, 99, 0, 0, 0, 0, 0}
  %logits = Gather(%table, %ids) {axis = 0}
)";

TEST(WrittenText, ContinuesAsTheModelDoes) {
  const SampleSet set = made(model_of(std::string(kCounter) + "  output %logits\n"));
  EXPECT_EQ(set.made_of, "text that the model writes itself");
  EXPECT_TRUE(set.written);
  for (const Sample& sample : set.tuning) {
    const auto ids = *integer_values(sample[0]);
    ASSERT_EQ(ids.size(), 32u);
    for (std::size_t i = 1; i < ids.size(); ++i) EXPECT_EQ(ids[i], (ids[i - 1] + 1) % 6) << i;
  }
}

// What reads ids after a place says nothing about which follows.
TEST(WrittenText, AModelThatLooksAheadWritesNone) {
  const SampleSet set = made(model_of(std::string(kCounter) + R"(  value %axes : int64 [1] = {1}
  %all = ReduceMean(%logits, %axes) {keepdims = 1, noop_with_empty_axes = 0}
  %mixed = Add(%logits, %all)
  output %mixed
)"));
  EXPECT_EQ(set.made_of, "tokens of the model's table");
}

// In every other sample the caches hold what the model left there on the first half of the text.
TEST(WrittenText, CachesHoldTheFirstHalf) {
  const SampleSet set =
      made(model_of(std::string(kCounter) + R"(  input %past_keys : float32 [batch, past, 6]
  %present_keys = Concat(%past_keys, %logits) {axis = 1}
  output %logits
  output %present_keys
)"));
  ASSERT_EQ(set.tuning.size(), 4u);
  EXPECT_EQ(set.tuning[0][1].dims, (std::vector<std::int64_t>{1, 0, 6}));
  ASSERT_EQ(set.tuning[1][1].dims, (std::vector<std::int64_t>{1, 64, 6}));
  const auto ids = *integer_values(set.tuning[1][0]);
  ASSERT_EQ(ids.size(), 64u);
  std::vector<float> keys(384);
  read_floats(set.tuning[1][1], 0, 384, keys.data());
  for (std::size_t i = 1; i < ids.size(); ++i) EXPECT_EQ(ids[i], (ids[i - 1] + 1) % 6) << i;
  // The last row in the cache says which id follows: the first of the second half.
  for (std::int64_t token = 0; token < 6; ++token)
    EXPECT_EQ(keys[static_cast<std::size_t>(378 + token)], token == ids[0] ? 99 : 0);
}

}  // namespace
}  // namespace subbyte
