#include "quantize/tune/vary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "quantize/fit/test_network.h"

namespace subbyte::tune {
namespace {

TEST(Variation, DrawsTokensThatTheSamplesHave) {
  const Model model = fit::test_language_model();
  std::vector<Sample> samples = fit::test_texts(6, 1);
  // All begin with the same mark.
  std::set<std::int64_t> all;
  for (Sample& sample : samples) {
    auto ids = *integer_values(sample[0]);
    ids[0] = 39;
    for (std::int64_t& id : ids) id = &id == &ids[0] ? 39 : id % 7;
    sample[0] = make_int64_tensor(sample[0].dims, ids);
    all.insert(ids.begin(), ids.end());
  }
  // Those are in most samples, too, but for one.
  auto rare = *integer_values(samples[0][0]);
  for (std::size_t i = 1; i < rare.size(); ++i) rare[i] = 20 + static_cast<std::int64_t>(i % 5);
  samples[0][0] = make_int64_tensor(samples[0][0].dims, rare);
  const Variation variation(model, samples);
  ASSERT_TRUE(variation.any());
  Random random(1), again(1);
  const Sample varied = variation.of(samples[0], 0.5f, random);
  EXPECT_EQ(varied[0].dims, samples[0][0].dims);
  EXPECT_EQ(*integer_values(varied[0]), *integer_values(variation.of(samples[0], 0.5f, again)[0]));
  const auto ids = *integer_values(varied[0]);
  EXPECT_EQ(ids[0], 39);
  std::size_t changed = 0;
  for (std::size_t i = 1; i < ids.size(); ++i) {
    EXPECT_TRUE(ids[i] >= 20 && ids[i] < 25) << ids[i];
    changed += ids[i] != rare[i] ? 1 : 0;
  }
  EXPECT_GT(changed, ids.size() / 5);
  EXPECT_LT(changed, ids.size() * 3 / 5);
  // Of what is not seen as tokens nothing changes.
  for (std::size_t i = 1; i < varied.size(); ++i)
    EXPECT_EQ(varied[i].data.data(), samples[0][i].data.data());
}

TEST(Variation, IsOfTokensAlone) {
  EXPECT_FALSE(Variation(fit::test_network(), fit::test_samples(2, 1)).any());
}

}  // namespace
}  // namespace subbyte::tune
