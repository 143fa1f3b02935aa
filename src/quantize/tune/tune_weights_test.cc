#include "quantize/tune/tune_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "calibrate/batches.h"
#include "graph/ops.h"
#include "quantize/fit/test_network.h"
#include "quantize/pack_weight.h"

namespace subbyte {
namespace {

using namespace fit;

// Threads that wait for each other cost more than such small networks do.
const TuneOptions kAlone{.threads = 1};

WeightPlan planned(const Model& model, const char* precision) {
  auto plan = plan_weights(model, policy_from_name(precision).value());
  EXPECT_TRUE(plan) << plan.error().message;
  return std::move(*plan);
}

SampleSet samples_of(std::vector<Sample> tuning, std::vector<Sample> held_out, double work) {
  SampleSet samples;
  samples.tuning = std::move(tuning);
  samples.held_out = std::move(held_out);
  samples.work_each = work;
  return samples;
}

std::map<ValueId, PackedMatrix> stored_of(const Model& model, const WeightPlan& plan) {
  std::map<ValueId, PackedMatrix> found;
  for (const auto& [v, stored] : plan.stored) found.emplace(v, pack_weight(model, stored).value());
  return found;
}

// The work is so much that there are a few dozen steps.
SampleSet pictures() { return samples_of(test_samples(12, 3), test_samples(6, 4), 6e8); }

TEST(Tuning, LosesLessOnWhatItDidNotSee) {
  for (const char* const precision : {"3bit", "2bit"}) {
    const Model model = test_network();
    WeightPlan plan = planned(model, precision);
    const auto before = stored_of(model, plan);
    const auto report = tune_weights(model, plan, pictures(), kAlone);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->skipped, "");
    EXPECT_GT(report->steps, 8u);
    EXPECT_LT(report->after, 0.97 * report->before) << precision;
    // In the same form and as many bytes; codes, scales, zero points and biases differ.
    for (const auto& [v, matrix] : stored_of(model, plan)) {
      EXPECT_EQ(matrix.encoding, before.at(v).encoding);
      EXPECT_EQ(matrix.values.size(), before.at(v).values.size());
      EXPECT_EQ(matrix.scales.size(), before.at(v).scales.size());
      if (!std::holds_alternative<AffineEncoding>(matrix.encoding)) continue;
      EXPECT_NE(matrix.scales, before.at(v).scales);
    }
  }
}

TEST(Tuning, KeepsCodesOfManyBits) {
  const Model model = test_network();
  WeightPlan plan = planned(model, "4bit");
  const auto before = stored_of(model, plan);
  const auto report = tune_weights(model, plan, pictures(), kAlone);
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_LT(report->after, report->before);
  for (const auto& [v, matrix] : stored_of(model, plan)) {
    if (value_bits(matrix.encoding) != 4) continue;
    EXPECT_EQ(matrix.values, before.at(v).values);
  }
}

TEST(Tuning, GivesTheSameBytesOnAnyNumberOfThreads) {
  const Model model = test_network();
  std::vector<std::vector<std::byte>> first;
  for (const unsigned threads : {1u, 3u}) {
    WeightPlan plan = planned(model, "2bit");
    ASSERT_TRUE(tune_weights(model, plan, pictures(), {.threads = threads}));
    std::vector<std::vector<std::byte>> bytes;
    for (const auto& [v, matrix] : stored_of(model, plan)) {
      bytes.push_back(matrix.values);
      bytes.push_back(matrix.scales);
      bytes.push_back(matrix.zero_points);
    }
    if (first.empty()) first = bytes;
    EXPECT_EQ(bytes, first);
  }
}

// Its table is read by a lookup and, turned, by a product.
TEST(Tuning, OfALanguageModel) {
  const Model model = test_language_model();
  WeightPlan plan = planned(model, "2bit");
  const auto report =
      tune_weights(model, plan, samples_of(test_texts(12, 3), test_texts(6, 4), 6e8), kAlone);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->skipped, "");
  EXPECT_LT(report->after, report->before);
}

// With little memory the graph goes by segments, and codes stay.
TEST(Tuning, NeedsLittleMemory) {
  const Model model = test_language_model();
  const auto texts = samples_of(test_texts(12, 3), test_texts(6, 4), 6e8);
  const std::int64_t all = calibrate::kept_bytes(model, texts.tuning[0]);
  std::vector<std::vector<std::byte>> first;
  for (const unsigned threads : {1u, 3u}) {
    WeightPlan plan = planned(model, "2bit");
    const auto before = stored_of(model, plan);
    TuneOptions options{.threads = threads};
    options.memory_of_tuned = 8000;
    options.memory_of_values = all - 1;
    const auto report = tune_weights(model, plan, texts, options);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->skipped, "");
    EXPECT_LT(report->after, report->before);
    std::vector<std::vector<std::byte>> bytes;
    for (const auto& [v, matrix] : stored_of(model, plan)) {
      if (value_bits(matrix.encoding) == 2) {
        EXPECT_EQ(matrix.values, before.at(v).values);
        EXPECT_NE(matrix.scales, before.at(v).scales);
      }
      bytes.push_back(matrix.scales);
    }
    if (first.empty()) first = bytes;
    EXPECT_EQ(bytes, first);
    TuneOptions none{.threads = 1};
    none.memory_of_values = 100;
    const auto refused = tune_weights(model, plan, texts, none);
    ASSERT_TRUE(refused);
    EXPECT_THAT(refused->skipped, testing::HasSubstr("more memory"));
  }
}

// Where the values of a sample fit but not the gradients of all weights, the graph goes by segments
// for these.
TEST(Tuning, GoesBySegmentsForTheGradientsOfItsWeights) {
  const Model model = test_language_model();
  const auto texts = samples_of(test_texts(12, 3), test_texts(6, 4), 6e8);
  WeightPlan plan = planned(model, "2bit");
  TuneOptions options{.threads = 1};
  options.memory_of_tuned = 8000;
  const auto report = tune_weights(model, plan, texts, options);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->skipped, "");
  EXPECT_LT(report->after, report->before);
}

TEST(Tuning, SaysWhyThereIsNone) {
  Model model = test_network();
  WeightPlan plan = planned(model, "3bit");
  const auto before = stored_of(model, plan);
  const auto costly =
      tune_weights(model, plan, samples_of(test_samples(2, 3), test_samples(2, 4), 1e15));
  ASSERT_TRUE(costly);
  EXPECT_THAT(costly->skipped, testing::HasSubstr("more work than the effort allows"));
  const auto alone = tune_weights(model, plan, samples_of(test_samples(2, 3), {}, 1e9));
  ASSERT_TRUE(alone);
  EXPECT_NE(alone->skipped, "");
  const auto narrow = planned(model, "float32");
  WeightPlan wide = narrow;
  const auto nothing = tune_weights(model, wide, pictures());
  ASSERT_TRUE(nothing);
  EXPECT_THAT(nothing->skipped, testing::HasSubstr("nothing"));
  for (const auto& [v, matrix] : stored_of(model, plan))
    EXPECT_EQ(matrix.values, before.at(v).values);
}

TEST(Tuning, IsCancelled) {
  const Model model = test_network();
  WeightPlan plan = planned(model, "3bit");
  int asked = 0;
  TuneOptions options;
  options.cancelled = [&] { return ++asked > 200; };
  const auto report = tune_weights(model, plan, pictures(), options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::cancelled);
  for (const auto& [v, stored] : plan.stored)
    EXPECT_FALSE(std::holds_alternative<ChosenNumbers>(stored.source));
}

}  // namespace
}  // namespace subbyte
