#include "quantize/allocate/sensitivity.h"

#include <gtest/gtest.h>

#include "base/memory_file.h"
#include "quantize/allocate/loss.h"
#include "quantize/fit/test_network.h"

namespace subbyte::allocate {
namespace {

WeightPlan planned(const Model& model, const char* precision) {
  auto plan = plan_weights(model, policy_from_name(precision).value());
  EXPECT_TRUE(plan) << plan.error().message;
  return std::move(*plan);
}

std::vector<StoredWeight> matrices(const WeightPlan& plan) {
  std::vector<StoredWeight> questions;
  for (const WeightUse& use : plan.uses)
    if (is_matrix(use.kind)) questions.push_back(plan.stored.at(use.value));
  return questions;
}

TEST(MeasureEach, IsTheLossOfAPlanWithThatWeightAlone) {
  const Model model = fit::test_network();
  const WeightPlan plan = planned(model, "2bit");
  const auto samples = fit::test_samples(5, 3);
  RoundedWeights rounded(model);
  const auto questions = matrices(plan);
  const auto losses = measure_each(model, questions, samples, rounded, {});
  ASSERT_TRUE(losses) << losses.error().message;
  const WeightPlan exact = planned(model, "float32");
  for (std::size_t q = 0; q < questions.size(); ++q) {
    WeightPlan one = exact;
    one.stored.at(questions[q].value) = questions[q];
    const WeightPlan* const plans[] = {&one};
    const auto alone = losses_of(model, plans, samples, rounded, {});
    ASSERT_TRUE(alone);
    EXPECT_GT((*losses)[q], 0);
    EXPECT_DOUBLE_EQ((*losses)[q], (*alone)[0]) << q;
  }
}

TEST(MeasureEach, IsTheSameOnAnyNumberOfThreads) {
  const Model model = fit::test_network();
  const WeightPlan plan = planned(model, "3bit");
  const auto samples = fit::test_samples(4, 3);
  const auto measured = [&](unsigned threads) {
    RoundedWeights rounded(model);
    return measure_each(model, matrices(plan), samples, rounded, {.running = {.threads = threads}})
        .value();
  };
  EXPECT_EQ(measured(1), measured(3));
}

TEST(MeasureEach, IsMeasuredOnce) {
  const Model model = fit::test_network();
  const WeightPlan plan = planned(model, "3bit");
  const auto samples = fit::test_samples(4, 3);
  MemoryFileSystem files;
  const auto store = checkpoint_folder(files, "kept");
  MeasureOptions options{.checkpoint = Checkpoint(store.get()).of("test")};
  std::size_t measured = 0, last = 2;
  options.progress = [&](std::size_t, std::size_t) { ++measured; };
  options.running = {.threads = 1, .cancelled = [&] { return measured >= last; }};
  RoundedWeights rounded(model);
  const auto questions = matrices(plan);
  EXPECT_FALSE(measure_each(model, questions, samples, rounded, options));
  last = 3 * questions.size();
  const auto losses = measure_each(model, questions, samples, rounded, options);
  ASSERT_TRUE(losses) << losses.error().message;
  EXPECT_EQ(measured, questions.size());
  EXPECT_EQ(*losses, measure_each(model, questions, samples, rounded, {}).value());
  EXPECT_EQ(*losses, measure_each(model, questions, samples, rounded, options).value());
  EXPECT_EQ(measured, questions.size());
  // Other widths, samples and shares are other questions.
  options.shift_taken = 0;
  EXPECT_TRUE(measure_each(model, questions, samples, rounded, options));
  EXPECT_EQ(measured, 2 * questions.size());
}

// Of a language model calibration chooses codes alone.
TEST(MeasureEach, TakesNothingBackInALanguageModel) {
  const Model model = fit::test_language_model();
  EXPECT_EQ(share_of_biases(model), 0);
  EXPECT_EQ(share_of_biases(fit::test_network()), 1);
  const WeightPlan plan = planned(model, "2bit");
  const auto questions = matrices(plan);
  const auto samples = fit::test_texts(3, 3);
  RoundedWeights rounded(model);
  const auto losses = measure_each(model, questions, samples, rounded, {});
  const auto untaken = measure_each(model, questions, samples, rounded, {.shift_taken = 0});
  ASSERT_TRUE(losses && untaken);
  EXPECT_EQ(*losses, *untaken);
}

TEST(LossesOf, GrowAsBitsGetFewerAndAreNoneOfFloats) {
  const Model model = fit::test_network();
  const WeightPlan floats = planned(model, "float32"), eight = planned(model, "8bit"),
                   four = planned(model, "4bit"), two = planned(model, "2bit");
  const WeightPlan* const plans[] = {&floats, &eight, &four, &two};
  RoundedWeights rounded(model);
  const auto losses = losses_of(model, plans, fit::test_samples(4, 3), rounded, {}).value();
  EXPECT_EQ(losses[0], 0);
  EXPECT_LT(losses[1], losses[2]);
  EXPECT_LT(losses[2], losses[3]);
}

TEST(MeasuredSamples, AreAsManyAsTheWorkAllows) {
  const Model model = fit::test_network();
  const auto samples = fit::test_samples(30, 3);
  EXPECT_EQ(measured_samples(model, samples, 1e3, 10, Effort::good), 24u);
  EXPECT_EQ(measured_samples(model, samples, 1e9, 28, Effort::good), 6u);
  EXPECT_EQ(measured_samples(model, samples, 1e9, 28, Effort::fast), 0u);
  EXPECT_EQ(measured_samples(model, samples, 1e12, 28, Effort::good), 0u);
}

// 90 thousand multiply-adds a parameter, for one or two texts.
TEST(MeasuredSamples, AreOneOrTwoTextsOfALargeLanguageModel) {
  Model model = fit::test_language_model();
  const auto texts = fit::test_texts(30, 3);
  const auto count = [&](double work_each, Effort effort) {
    return measured_samples(model, texts, work_each, 28, effort);
  };
  EXPECT_EQ(count(1e9, Effort::good), 6u);
  EXPECT_EQ(count(1e10, Effort::good), 0u);
  constexpr std::int64_t kParameters = 4'000'000;
  Value table;
  table.dtype = DType::float32;
  table.constant = make_tensor(DType::float32, {kParameters},
                               std::vector<std::byte>(kParameters * sizeof(float)));
  model.main().values.push_back(std::move(table));
  EXPECT_EQ(count(1e9, Effort::good), 6u);
  EXPECT_EQ(count(1e10, Effort::good), 2u);
  EXPECT_EQ(count(2e10, Effort::good), 1u);
  EXPECT_EQ(count(3e10, Effort::good), 0u);
  EXPECT_EQ(count(2e10, Effort::fast), 0u);
  EXPECT_EQ(measured_samples(model, texts, 2e10, 28, Effort::good, false), 0u);
}

Tensor floats(std::vector<std::int64_t> dims, std::vector<float> numbers) {
  std::vector<std::byte> bytes(numbers.size() * sizeof(float));
  std::copy_n(reinterpret_cast<const std::byte*>(numbers.data()), bytes.size(), bytes.data());
  return make_tensor(DType::float32, std::move(dims), std::move(bytes));
}

TEST(OutputLossOf, IsOfWhatAnOutputSays) {
  const std::vector<std::vector<Tensor>> exact = {{floats({2, 2}, {0.5f, 0.5f, 0.9f, 0.1f})}};
  const std::vector<std::vector<Tensor>> found = {{floats({2, 2}, {0.5f, 0.5f, 0.1f, 0.9f})}};
  // (.8^2 + .8^2) of .25 + .25 + .81 + .01.
  EXPECT_NEAR(output_loss_of({{Says::numbers}}, exact, found), 1.28 / 1.32, 1e-6);
  // One line of two: 2 ((sqrt .9 - sqrt .1)^2 + the same) = 2 (2 - 4 sqrt .09).
  EXPECT_NEAR(output_loss_of({{Says::distribution, 1}}, exact, found), 1.6 / 2, 1e-6);
  EXPECT_EQ(output_loss_of({{Says::distribution, 1}}, exact, exact), 0);
}

}  // namespace
}  // namespace subbyte::allocate
