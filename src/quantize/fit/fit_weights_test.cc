#include "quantize/fit/fit_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <span>

#include "base/memory_file.h"
#include "calibrate/batches.h"
#include "calibrate/executor.h"
#include "graph/node_form.h"
#include "graph/text.h"
#include "quantize/fit/moments.h"
#include "quantize/fit/output_error.h"
#include "quantize/fit/output_shift.h"
#include "quantize/fit/test_network.h"
#include "quantize/pack_weight.h"

namespace subbyte {
namespace {

using namespace fit;

WeightPlan planned(const Model& model, const char* precision) {
  auto plan = plan_weights(model, policy_from_name(precision).value());
  EXPECT_TRUE(plan) << plan.error().message;
  return std::move(*plan);
}

// The outputs with the weights that the plan stores.
std::vector<std::vector<Tensor>> stored_outputs(const Model& model, const WeightPlan& plan,
                                                std::span<const Sample> samples) {
  ExecuteOptions options;
  options.replace = [&](ValueId v) -> Expected<std::optional<Tensor>> {
    const auto stored = plan.stored.find(v);
    if (stored == plan.stored.end()) return std::nullopt;
    SUBBYTE_TRY(const PackedMatrix matrix, pack_weight(model, stored->second));
    return unpacked_tensor(matrix, stored->second.order, model.main().values[v].constant->dims);
  };
  auto outputs = execute(model, samples, options);
  EXPECT_TRUE(outputs) << outputs.error().message;
  return std::move(*outputs);
}

// As the decision counts it.
double mean_error(const Model& model, const std::vector<std::vector<Tensor>>& exact,
                  const std::vector<std::vector<Tensor>>& found) {
  double sum = 0;
  for (std::size_t s = 0; s < exact.size(); ++s)
    sum += sample_error(output_contents(model), exact[s], found[s]);
  return sum / static_cast<double>(exact.size());
}

TEST(ProductInputs, RowsTimesTheirColumnsAreTheResults) {
  const Model model = test_network();
  const Graph& graph = model.main();
  const WeightPlan plan = planned(model, "float32");
  const auto samples = test_samples(1, 5);
  auto run = Execution::begin(model, samples).value();
  std::size_t followed = 0;
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    std::optional<ProductInputs> inputs;
    const WeightUse* use = nullptr;
    for (const WeightUse& u : plan.uses)
      if (node.has_input(1) && node.inputs[1] == u.value) {
        use = &u;
        inputs = ProductInputs::of(graph, u, n);
      }
    std::vector<float> columns, rows;
    std::int64_t places = 0;
    if (inputs) {
      ++followed;
      const Tensor& x = run.value(inputs->activations())[0];
      places = inputs->places(x);
      std::vector<std::int64_t> all(static_cast<std::size_t>(places));
      std::iota(all.begin(), all.end(), 0);
      const auto size = static_cast<std::size_t>(use->k * places);
      columns.resize(size * static_cast<std::size_t>(inputs->groups()));
      for (std::int64_t g = 0; g < inputs->groups(); ++g)
        inputs->gather(x, g, all, columns.data() + g * static_cast<std::int64_t>(size));
      rows.resize(static_cast<std::size_t>(use->rows * use->k));
      row_reader(*graph.values[use->value].constant, use->order)(0, use->rows, rows.data());
    }
    ASSERT_TRUE(run.step());
    const auto result = run.value(node.outputs[0]);
    if (!inputs || result.empty()) continue;
    std::vector<float> found;
    for (std::int64_t r = 0; r < use->rows; ++r)
      for (std::int64_t p = 0; p < places; ++p) {
        const std::int64_t group = r / (use->rows / inputs->groups());
        double sum = 0;
        for (std::int64_t i = 0; i < use->k; ++i)
          sum += static_cast<double>(rows[static_cast<std::size_t>(r * use->k + i)]) *
                 static_cast<double>(
                     columns[static_cast<std::size_t>((group * use->k + i) * places + p)]);
        found.push_back(static_cast<float>(sum));
      }
    // The same numbers, but for a bias and where they lie: their squares agree without one.
    if (node.has_input(2)) continue;
    double wanted = 0, sum = 0;
    std::vector<float> values(static_cast<std::size_t>(result[0].elements()));
    read_floats(result[0], 0, result[0].elements(), values.data());
    ASSERT_EQ(values.size(), found.size()) << describe(graph, n);
    std::ranges::sort(values);
    std::ranges::sort(found);
    for (std::size_t i = 0; i < values.size(); ++i) {
      wanted += static_cast<double>(values[i]) * static_cast<double>(values[i]);
      sum += std::pow(static_cast<double>(values[i]) - static_cast<double>(found[i]), 2);
    }
    EXPECT_LT(sum, 1e-10 * wanted) << describe(graph, n);
  }
  EXPECT_EQ(followed, 6u);
}

TEST(StoreShifts, AddsThemToTheOutputsAndLeavesTheFloatModel) {
  Model model = test_network();
  const auto samples = test_samples(2, 6);
  const auto exact = execute(model, samples).value();
  WeightPlan plan = planned(model, "8bit");
  Shifts shifts;
  for (NodeId n = 0; n < model.main().nodes.size(); ++n) {
    if (!can_shift(model.main(), plan.stored, n)) continue;
    const auto& shape = *model.main().values[model.main().nodes[n].outputs[0]].shape;
    const auto axis = channel_axis(model.main().nodes[n], shape.size());
    const auto channels = static_cast<std::size_t>(model.exprs.value(shape[*axis]).value());
    for (std::size_t c = 0; c < channels; ++c) shifts[n].push_back(0.01f * static_cast<float>(c));
  }
  EXPECT_EQ(shifts.size(), 6u);
  // The same by hand.
  auto run =
      Execution::begin(model, samples,
                       {.replace =
                            [&](ValueId v) {
                              const auto stored = plan.stored.find(v);
                              if (stored == plan.stored.end())
                                return Expected<std::optional<Tensor>>();
                              return Expected<std::optional<Tensor>>(unpacked_tensor(
                                  pack_weight(model, stored->second).value(), stored->second.order,
                                  model.main().values[v].constant->dims));
                            }})
          .value();
  std::vector<std::vector<Tensor>> wanted;
  for (NodeId n = 0; n < model.main().nodes.size(); ++n) {
    ASSERT_TRUE(run.step());
    const auto result = run.value(model.main().nodes[n].outputs[0]);
    if (const auto shift = shifts.find(n); shift != shifts.end() && !result.empty())
      add_shift(result, *channel_axis(model.main().nodes[n], result[0].dims.size()), shift->second);
  }
  wanted = run.outputs().value();

  store_shifts(model, plan, shifts);
  const auto whole = verify(model);
  EXPECT_TRUE(whole) << whole.error().message;
  EXPECT_LT(output_error(wanted, stored_outputs(model, plan, samples)), 1e-5);
  EXPECT_EQ(output_error(exact, execute(model, samples).value()), 0);
  // Biases are there once: two that were, and four that were made.
  int biases = 0;
  for (const WeightUse& use : plan.uses) biases += use.kind == WeightUseKind::bias ? 1 : 0;
  EXPECT_EQ(biases, 6);
  EXPECT_EQ(plan.uses.size(), plan.assignments.size());
  EXPECT_EQ(plan.uses.size(), plan.stored.size());
}

// What multiplies integers gives integers, to which no bias of floats is added.
TEST(StoreShifts, LeavesProductsOfIntegers) {
  Model model = test_network();
  const WeightPlan plan = planned(model, "4bit");
  std::size_t shifted = 0;
  for (NodeId n = 0; n < model.main().nodes.size(); ++n) {
    if (!can_shift(model.main(), plan.stored, n)) continue;
    ++shifted;
    model.main().nodes[n].attributes.push_back({std::string(kSumsIntegers), std::int64_t{1}});
    EXPECT_FALSE(can_shift(model.main(), plan.stored, n));
  }
  EXPECT_GT(shifted, 0u);
}

TEST(MeanShift, IsTheMeanOfEachChannelAsFarAsSamplesAgree) {
  const auto tensor = [](std::vector<std::int64_t> dims, const std::vector<float>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return make_tensor(DType::float32, std::move(dims), std::move(bytes));
  };
  const Tensor exact[] = {tensor({1, 2, 2}, {1, 3, 5, 5}), tensor({1, 2, 1}, {4, 1})};
  const Tensor found[] = {tensor({1, 2, 2}, {0, 0, 5, 5}), tensor({1, 2, 1}, {0, 3})};
  // Means of 2 and 4, of standard error 1; of 0 and -2, of standard error 1.
  EXPECT_THAT(mean_shift(exact, found, {}, 1),
              testing::ElementsAre(testing::FloatEq(3 - 1 / 3.0f), 0));
  const Tensor odd[] = {tensor({1, 2, 2}, {0, 0, 5, INFINITY}), tensor({1, 2, 1}, {0, 3})};
  EXPECT_THAT(mean_shift(exact, odd, {}, 1), testing::ElementsAre(4, -2));
  EXPECT_TRUE(mean_shift(std::span(exact, 1), std::span(odd, 1), {}, 1).empty());
  // Kinds of results ten times as large say a hundredth; those that contradict each other nothing.
  const Tensor kinds[] = {tensor({1, 2, 1}, {1, 1}), tensor({1, 2, 1}, {10, 10})};
  const Tensor moved[] = {tensor({1, 2, 1}, {0, 0}), tensor({1, 2, 1}, {9, 11})};
  const std::size_t of[] = {0, 1};
  const Shift shift = mean_shift(kinds, moved, of, 1);
  EXPECT_NEAR(shift[0], 1, 1e-5);
  EXPECT_NEAR(shift[1], 0.98, 0.01);
}

TEST(OutputError, CountsWhatIsFiniteInOneAlone) {
  const auto tensor = [](std::vector<float> values) {
    std::vector<std::byte> bytes(values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return std::vector<std::vector<Tensor>>{
        {make_tensor(DType::float32, {static_cast<std::int64_t>(values.size())}, bytes)}};
  };
  EXPECT_EQ(output_error(tensor({3, 4}), tensor({3, 4})), 0);
  EXPECT_DOUBLE_EQ(output_error(tensor({3, 4}), tensor({3, 5})), 0.2);
  EXPECT_EQ(output_error(tensor({NAN, 1}), tensor({NAN, 1})), 0);
  EXPECT_TRUE(std::isinf(output_error(tensor({1, 1}), tensor({1, NAN}))));
}

class FitWeights : public testing::TestWithParam<const char*> {};

TEST_P(FitWeights, LosesLessOnSamplesThatItDidNotSee) {
  Model model = test_network();
  WeightPlan plan = planned(model, GetParam());
  SampleSet samples{.tuning = test_samples(16, 1), .held_out = test_samples(8, 2)};
  const auto unseen = test_samples(16, 3);
  const auto exact = execute(model, unseen).value();
  const double before = output_error(exact, stored_outputs(model, plan, unseen));
  const auto report = fit_weights(model, plan, samples);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_NE(report->kept, FitReport::Kept::nothing);
  const double kept = std::min({report->biases, report->codes, report->codes_and_biases});
  EXPECT_LT(kept, report->rounded);
  const double after = output_error(exact, stored_outputs(model, plan, unseen));
  EXPECT_LT(after, 0.7 * before);
  // What is stored is what was judged.
  EXPECT_NEAR(mean_error(model, execute(model, samples.held_out).value(),
                         stored_outputs(model, plan, samples.held_out)),
              kept, 0.02 * kept);
}
INSTANTIATE_TEST_SUITE_P(Precisions, FitWeights, testing::Values("8bit", "4bit", "3bit", "2bit"));

// A table that lookups read too is chosen by what the product at the end multiplies it with.
TEST(FitWeights, ChoosesATableThatIsReadTwice) {
  for (const char* const precision : {"3bit", "2bit"}) {
    Model model = test_language_model();
    WeightPlan plan = planned(model, precision);
    const auto table = std::ranges::find(plan.uses, WeightUseKind::embedding, &WeightUse::kind);
    ASSERT_NE(table, plan.uses.end());
    const auto is_chosen = [&, value = table->value] {
      return std::holds_alternative<ChosenNumbers>(plan.stored.at(value).source);
    };
    const SampleSet samples{.tuning = test_texts(16, 1), .held_out = test_texts(4, 2)};
    const auto unseen = test_texts(8, 3);
    const auto exact = execute(model, unseen).value();
    const auto lost = [&] { return mean_error(model, exact, stored_outputs(model, plan, unseen)); };
    EXPECT_FALSE(is_chosen());
    const double before = lost();
    const auto report = fit_weights(model, plan, samples);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(is_chosen()) << precision;
    EXPECT_LT(lost(), 0.9 * before) << precision;
  }
}

TEST(SampleError, OfALanguageModelIsThatOfWhatItSays) {
  const Model model = test_language_model();
  const auto contents = output_contents(model);
  ASSERT_EQ(contents[0].says, Says::logits);
  ASSERT_TRUE(contents[1].is_cache);
  const auto exact = execute(model, test_texts(1, 1)).value().front();
  const auto moved = [&](std::size_t output, auto by) {
    std::vector<float> numbers(static_cast<std::size_t>(exact[output].elements()));
    read_floats(exact[output], 0, exact[output].elements(), numbers.data());
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] += by(i);
    auto found = exact;
    const auto bytes = std::as_bytes(std::span(numbers));
    found[output] = make_tensor(DType::float32, exact[output].dims, {bytes.begin(), bytes.end()});
    return sample_error(contents, exact, found);
  };
  EXPECT_EQ(moved(1, [](std::size_t) { return 1.0f; }), 0);
  EXPECT_LT(moved(0, [](std::size_t) { return 1.0f; }), 1e-5);
  EXPECT_GT(moved(0, [](std::size_t i) { return i % 2 == 0 ? 0.3f : 0.0f; }), 0.05);
}

std::map<ValueId, std::vector<std::byte>> bytes_of(const Model& model, const WeightPlan& plan) {
  std::map<ValueId, std::vector<std::byte>> bytes;
  for (const auto& [value, stored] : plan.stored) {
    const PackedMatrix matrix = pack_weight(model, stored).value();
    bytes[value] = matrix.values;
    bytes[value].insert(bytes[value].end(), matrix.scales.begin(), matrix.scales.end());
  }
  return bytes;
}

TEST(FitWeights, TakesLessMemoryOneVariantAfterTheOther) {
  std::vector<std::map<ValueId, std::vector<std::byte>>> all;
  // Of four samples of three streams: two run at a time.
  const std::int64_t three =
      12 * calibrate::activation_bytes(test_network(), test_samples(1, 1).front());
  for (const std::int64_t memory : {std::int64_t{1} << 30, three}) {
    Model model = test_network();
    WeightPlan plan = planned(model, "3bit");
    const SampleSet samples{.tuning = test_samples(4, 1), .held_out = test_samples(2, 2)};
    const auto report = fit_weights(model, plan, samples, {.memory = memory});
    ASSERT_TRUE(report);
    EXPECT_NE(report->kept, FitReport::Kept::nothing);
    all.push_back(bytes_of(model, plan));
  }
  EXPECT_EQ(all[0], all[1]);
}

TEST(FitWeights, LeavesWhatIsTooMuchMemory) {
  Model model = test_network();
  WeightPlan plan = planned(model, "4bit");
  const SampleSet samples{.tuning = test_samples(2, 1), .held_out = test_samples(1, 2)};
  const auto done = fit_weights(model, plan, samples, {.memory = 1000});
  ASSERT_TRUE(done);
  EXPECT_NE(done->skipped, "");
}

TEST(FitWeights, GivesTheSameBytesWithAnyThreads) {
  std::vector<std::map<ValueId, std::vector<std::byte>>> all;
  for (const unsigned threads : {1u, 3u}) {
    Model model = test_network();
    WeightPlan plan = planned(model, "4bit");
    const SampleSet samples{.tuning = test_samples(4, 1), .held_out = test_samples(2, 2)};
    ASSERT_TRUE(fit_weights(model, plan, samples, {.threads = threads}));
    all.push_back(bytes_of(model, plan));
  }
  EXPECT_EQ(all[0], all[1]);
}

TEST(FitWeights, CanBeCancelled) {
  Model model = test_network();
  WeightPlan plan = planned(model, "4bit");
  const SampleSet samples{.tuning = test_samples(2, 1), .held_out = test_samples(1, 2)};
  int asked = 0;
  const auto done = fit_weights(model, plan, samples, {.cancelled = [&] { return ++asked == 9; }});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::cancelled);
}

// Interrupted anywhere, and begun again from what was kept, it ends as if it had not been.
TEST(FitWeights, GoesOnFromACheckpoint) {
  const SampleSet samples{.tuning = test_samples(4, 1), .held_out = test_samples(2, 2)};
  Model whole = test_network();
  WeightPlan plan_of_whole = planned(whole, "3bit");
  const auto report = fit_weights(whole, plan_of_whole, samples, {.threads = 1});
  ASSERT_TRUE(report);
  MemoryFileSystem files;
  const auto store = checkpoint_folder(files, "kept");
  const Checkpoint checkpoint = Checkpoint(store.get()).of("test");
  std::size_t kept = 0;
  for (const int last : {4, 40, 80, 1 << 30}) {
    Model model = test_network();
    WeightPlan plan = planned(model, "3bit");
    int asked = 0;
    const auto done = fit_weights(
        model, plan, samples,
        {.threads = 1, .checkpoint = checkpoint, .cancelled = [&] { return ++asked >= last; }});
    EXPECT_GE(files.paths().size(), kept);
    kept = files.paths().size();
    ASSERT_EQ(done.has_value(), last == 1 << 30);
    if (!done) continue;
    EXPECT_EQ(bytes_of(model, plan), bytes_of(whole, plan_of_whole));
    EXPECT_EQ(done->by_sample, report->by_sample);
  }
  EXPECT_GT(kept, 4u);
  // Another plan of the same model has chosen nothing yet.
  Model model = test_network();
  WeightPlan other = planned(model, "2bit");
  ASSERT_TRUE(fit_weights(model, other, samples, {.threads = 1, .checkpoint = checkpoint}));
  EXPECT_EQ(files.paths().size(), 2 * kept);
}

// What one variant chose is not taken for another's, of weights that no bias corrects either.
TEST(FitWeights, EachVariantHasItsOwnInACheckpoint) {
  const SampleSet samples{.tuning = test_samples(4, 1), .held_out = test_samples(2, 2)};
  Model whole = test_gate(), again = test_gate();
  WeightPlan plan_of_whole = planned(whole, "2bit"), plan = planned(again, "2bit");
  const auto report = fit_weights(whole, plan_of_whole, samples, {.threads = 1});
  MemoryFileSystem files;
  const auto store = checkpoint_folder(files, "kept");
  const Checkpoint checkpoint = Checkpoint(store.get()).of("test");
  const auto done = fit_weights(again, plan, samples, {.threads = 1, .checkpoint = checkpoint});
  ASSERT_TRUE(report && done);
  EXPECT_EQ(done->by_sample, report->by_sample);
  EXPECT_EQ(bytes_of(again, plan), bytes_of(whole, plan_of_whole));
}

// As floats and codes they would take more than calibration may.
TEST(FitWeights, RoundsVeryManyParametersUnlessAsked) {
  WeightPlan plan;
  plan.uses.push_back({.rows = 200'000, .k = 1000, .kind = WeightUseKind::embedding});
  EXPECT_TRUE(samples_for(plan, Effort::good, false));
  plan.uses.push_back({.rows = 50'000, .k = 1000, .kind = WeightUseKind::embedding});
  EXPECT_FALSE(samples_for(plan, Effort::good, false));
  EXPECT_TRUE(samples_for(plan, Effort::best, false));
  EXPECT_TRUE(samples_for(plan, Effort::good, true));
}

TEST(FitWeights, IsWorthTwiceTheTextThatIsGiven) {
  WeightPlan plan;
  plan.uses.push_back({.rows = 20'000, .k = 1000, .kind = WeightUseKind::embedding});
  const double other = samples_for(plan, Effort::good, true)->work;
  EXPECT_DOUBLE_EQ(samples_for(plan, Effort::good, true, true)->work, 2 * other);
}

TEST(FitWeights, LeavesWhatIsTooMuchWork) {
  Model model = test_network();
  WeightPlan plan = planned(model, "4bit");
  SampleSet samples{.tuning = test_samples(2, 1), .held_out = test_samples(1, 2)};
  samples.work_each = 1e18;
  const auto done = fit_weights(model, plan, samples);
  ASSERT_TRUE(done);
  EXPECT_NE(done->skipped, "");
  EXPECT_EQ(done->kept, FitReport::Kept::nothing);
}

}  // namespace
}  // namespace subbyte
