#include "compile/task_metrics.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

#include "compile/compare_outputs.h"

namespace subbyte {
namespace {

Tensor floats(std::vector<std::int64_t> dims, const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return make_tensor(DType::float32, std::move(dims), std::move(bytes));
}

Tensor one_hot(std::vector<std::int64_t> classes, std::int64_t count) {
  std::vector<float> values(classes.size() * static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < classes.size(); ++i)
    values[i * static_cast<std::size_t>(count) + static_cast<std::size_t>(classes[i])] = 1;
  return floats({static_cast<std::int64_t>(classes.size()), count}, values);
}

Tensor steps(std::vector<std::int64_t> classes, std::int64_t count) {
  Tensor tensor = one_hot(classes, count);
  tensor.dims = {1, static_cast<std::int64_t>(classes.size()), count};
  return tensor;
}

TEST(TaskMetrics, AccuracyIsAgainstLabelsOrTheSource) {
  const Answer bare{one_hot({0, 1, 2, 0}, 3), one_hot({0, 1, 1, 0}, 3), std::nullopt};
  const auto agreement = task_figure("accuracy", "y", {bare});
  ASSERT_TRUE(agreement) << agreement.error().message;
  EXPECT_DOUBLE_EQ(agreement->source, 1);
  EXPECT_DOUBLE_EQ(agreement->module, 0.75);
  EXPECT_FALSE(agreement->labelled);
  Answer labelled = bare;
  labelled.label = make_int64_tensor({4}, std::vector<std::int64_t>{0, 1, 1, 1});
  const auto truth = task_figure("accuracy", "y", {labelled});
  ASSERT_TRUE(truth) << truth.error().message;
  EXPECT_DOUBLE_EQ(truth->source, 0.5);
  EXPECT_DOUBLE_EQ(truth->module, 0.75);
  EXPECT_TRUE(truth->labelled);
  EXPECT_EQ(truth->items, 4u);
}

TEST(TaskMetrics, CharacterErrorReadsAsCtcDoes) {
  // "1 2 2 3", blanks and repeats between, is read as "1 2 3" and one "2" less.
  Answer answer{steps({1, 1, 0, 2, 0, 2, 3, 3}, 4), steps({1, 0, 2, 2, 2, 2, 3, 0}, 4),
                std::nullopt};
  const auto figure = task_figure("cer", "y", {answer});
  ASSERT_TRUE(figure) << figure.error().message;
  EXPECT_DOUBLE_EQ(figure->source, 0);
  EXPECT_DOUBLE_EQ(figure->module, 0.25);
  answer.label = make_int64_tensor({1, 6}, std::vector<std::int64_t>{1, 2, 3, 0, 0, 0});
  const auto truth = task_figure("cer", "y", {answer});
  ASSERT_TRUE(truth) << truth.error().message;
  EXPECT_NEAR(truth->source, 1.0 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(truth->module, 0);
}

TEST(TaskMetrics, CosineAndRecall) {
  const Tensor source = floats({4, 2}, {1, 0, 1, 0.1f, 0, 1, 0.1f, 1});
  const Tensor module = floats({4, 2}, {1, 0, 1, 0.1f, 0, 1, -1, 0.2f});
  const auto cosine = task_figure("cosine", "y", {{source, module, std::nullopt}});
  ASSERT_TRUE(cosine) << cosine.error().message;
  const double last = (0.1 * -1 + 0.2) / std::sqrt(1.01) / std::sqrt(1.04);
  EXPECT_NEAR(cosine->module, (3 + last) / 4, 1e-7);
  // The third row's nearest is the fourth, in both; the fourth's is the third; those of the first
  // two are each other.
  const auto same = task_figure("recall@1", "y", {{source, module, std::nullopt}});
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_DOUBLE_EQ(same->module, 1);
  const Tensor turned = floats({4, 2}, {1, 0, 0, 1, 0.1f, 1, 1, 0.1f});
  const auto other = task_figure("recall@1", "y", {{source, turned, std::nullopt}});
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_DOUBLE_EQ(other->module, 0);
}

TEST(TaskMetrics, OverlapIsTheMeanOverClasses) {
  // Of four places, classes 0 0 1 1 and 0 1 1 1: 1/2 and 2/3.
  const Tensor source = floats({1, 2, 4}, {1, 1, 0, 0, 0, 0, 1, 1});
  const Tensor module = floats({1, 2, 4}, {1, 0, 0, 0, 0, 1, 1, 1});
  const auto figure = task_figure("miou", "y", {{source, module, std::nullopt}});
  ASSERT_TRUE(figure) << figure.error().message;
  EXPECT_DOUBLE_EQ(figure->source, 1);
  EXPECT_NEAR(figure->module, (0.5 + 2.0 / 3) / 2, 1e-12);
  const Answer of_none{source, module,
                       make_int64_tensor({1, 4}, std::vector<std::int64_t>{0, 0, 255, 1})};
  const auto partly = task_figure("miou", "y", {of_none});
  ASSERT_TRUE(partly) << partly.error().message;
  EXPECT_NEAR(partly->module, (0.5 + 0.5) / 2, 1e-12);
}

TEST(TaskMetrics, RefusesWhatDoesNotFit) {
  const Tensor y = one_hot({0, 1}, 3);
  EXPECT_EQ(task_figure("acuracy", "y", {}).error().message,
            "--metric 'acuracy': there is no such metric (did you mean accuracy?); there are "
            "accuracy, cer, cosine, recall@k, miou (such as recall@5)");
  EXPECT_FALSE(check_metric("recall@0"));
  EXPECT_FALSE(check_metric("recall@k"));
  EXPECT_TRUE(check_metric("recall@10"));
  EXPECT_EQ(task_figure("cer", "y", {{y, y, std::nullopt}}).error().message,
            "output 'y': --metric cer: it is made for outputs [batch, steps, classes], and this "
            "one is [2, 3]; name another output as cer:OUTPUT");
  EXPECT_EQ(task_figure("recall@5", "y", {{y, y, std::nullopt}}).error().message,
            "output 'y': --metric recall@5: it needs more than 5 rows to choose from, and there "
            "are 2; give more data with --data");
  const Answer wrong{y, y, make_int64_tensor({3}, std::vector<std::int64_t>{0, 1, 2})};
  EXPECT_EQ(task_figure("accuracy", "y", {wrong}).error().message,
            "output 'y': --metric accuracy: labels must be 2 integers for this output; found [3] "
            "of int64");
}

TEST(CompareOutputs, LikelihoodIsOfTheNextToken) {
  Likelihood likelihood;
  const std::vector<std::int64_t> ids{0, 1, 0};
  likelihood.add({.says = Says::distribution, .axis = 2},
                 floats({1, 3, 2}, {0.25f, 0.75f, 0.5f, 0.5f, 1, 0}), ids);
  EXPECT_EQ(likelihood.tokens, 2);
  EXPECT_NEAR(likelihood.loss, -std::log(0.75) - std::log(0.5), 1e-9);
  Likelihood of_logits;
  of_logits.add({.says = Says::logits, .axis = 2},
                floats({1, 3, 2}, {5, 5 + std::log(3.0f), 1, 1, 9, 0}), ids);
  EXPECT_NEAR(of_logits.loss, likelihood.loss, 1e-6);
}

TEST(CompareOutputs, AnInfinityThatOnlyOneHasIsAnInfiniteError) {
  const float infinity = std::numeric_limits<float>::infinity();
  SquaredError same, other;
  same.add(floats({2}, {infinity, 3}), floats({2}, {infinity, 3}));
  EXPECT_EQ(same.relative(), 0);
  other.add(floats({2}, {4, 3}), floats({2}, {infinity, 3}));
  EXPECT_EQ(other.relative(), infinity);
}

}  // namespace
}  // namespace subbyte
