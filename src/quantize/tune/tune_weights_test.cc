#include "quantize/tune/tune_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/memory_file.h"
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

std::vector<std::vector<std::byte>> bytes_of(const Model& model, const WeightPlan& plan) {
  std::vector<std::vector<std::byte>> bytes;
  for (const auto& [v, matrix] : stored_of(model, plan)) {
    bytes.push_back(matrix.values);
    bytes.push_back(matrix.scales);
    bytes.push_back(matrix.zero_points);
  }
  return bytes;
}

// Interrupted after any step, and begun again from what it has kept, it ends as if it had not been;
// begun once more it takes no step.
void expect_goes_on(const Model& model, const SampleSet& samples, TuneOptions options) {
  WeightPlan whole = planned(model, "2bit");
  const auto report = tune_weights(model, whole, samples, options);
  ASSERT_TRUE(report) << report.error().message;
  const auto bytes = bytes_of(model, whole);
  for (const std::size_t last : {std::size_t{1}, report->steps / 2, report->steps - 1}) {
    MemoryFileSystem files;
    const auto store = checkpoint_folder(files, "kept");
    options.checkpoint = Checkpoint(store.get()).of("test");
    std::size_t steps = 0;
    options.progress = [&](std::size_t, std::size_t) { ++steps; };
    options.cancelled = [&] { return steps >= last; };
    WeightPlan begun = planned(model, "2bit");
    ASSERT_FALSE(tune_weights(model, begun, samples, options));
    ASSERT_EQ(steps, last);
    options.cancelled = nullptr;
    WeightPlan ended = planned(model, "2bit");
    const auto resumed = tune_weights(model, ended, samples, options);
    ASSERT_TRUE(resumed) << resumed.error().message;
    EXPECT_EQ(bytes_of(model, ended), bytes) << last;
    EXPECT_EQ(resumed->before, report->before);
    EXPECT_EQ(resumed->after, report->after);
    const std::size_t again = steps - last;
    EXPECT_GE(again, report->steps - last);
    EXPECT_LE(again, report->steps - last + report->steps / 10 + 1);
    WeightPlan third = planned(model, "2bit");
    ASSERT_TRUE(tune_weights(model, third, samples, options));
    EXPECT_EQ(bytes_of(model, third), bytes);
    EXPECT_EQ(steps, last + again);
    EXPECT_EQ(files.paths().size(), 1u);
  }
}

TEST(Tuning, GoesOnFromACheckpoint) { expect_goes_on(test_network(), pictures(), kAlone); }

TEST(Tuning, GoesOnFromACheckpointWithLittleMemory) {
  const Model model = test_language_model();
  const auto texts = samples_of(test_texts(12, 3), test_texts(6, 4), 6e8);
  TuneOptions options = kAlone;
  options.memory_of_tuned = 8000;
  options.memory_of_values = calibrate::kept_bytes(model, texts.tuning[0]) - 1;
  expect_goes_on(model, texts, options);
}

// A record under the same key that is of other weights is none.
TEST(Tuning, BeginsAnewWhereACheckpointIsOfAnother) {
  const Model model = test_network();
  WeightPlan whole = planned(model, "2bit");
  ASSERT_TRUE(tune_weights(model, whole, pictures(), kAlone));
  MemoryFileSystem files;
  const auto store = checkpoint_folder(files, "kept");
  TuneOptions options = kAlone;
  options.checkpoint = Checkpoint(store.get()).of("test");
  std::size_t steps = 0;
  options.progress = [&](std::size_t, std::size_t) { ++steps; };
  options.cancelled = [&] { return steps >= 15; };
  WeightPlan begun = planned(model, "2bit");
  ASSERT_FALSE(tune_weights(model, begun, pictures(), options));
  ASSERT_EQ(files.paths().size(), 1u);
  // The end of it is missing, and what it says of itself is right.
  const std::string key = base_name_of(files.paths()[0]).substr(0, 64);
  const std::string record = store->find(key).value();
  options.cancelled = nullptr;
  for (const std::size_t size : {record.size() - 1, record.size() / 2, std::size_t{3}}) {
    ASSERT_TRUE(store->keep(key, std::string_view(record).substr(0, size)));
    WeightPlan ended = planned(model, "2bit");
    ASSERT_TRUE(tune_weights(model, ended, pictures(), options));
    EXPECT_EQ(bytes_of(model, ended), bytes_of(model, whole)) << size;
    for (const std::string& path : files.paths()) ASSERT_TRUE(files.remove(path));
  }
}

}  // namespace
}  // namespace subbyte
