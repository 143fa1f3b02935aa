#include "quantize/allocate/widen_measured.h"

#include <gtest/gtest.h>

#include "quantize/fit/test_network.h"

namespace subbyte::allocate {
namespace {

TEST(WidenMeasured, TakesNoMoreBytesAndKeepsThePromise) {
  const Model model = fit::test_network();
  for (const char* name : {"8bit", "4bit", "3bit", "2bit"}) {
    const WeightPlan before = plan_weights(model, policy_from_name(name).value()).value();
    WeightPlan after = before;
    const SampleSet samples{
        .tuning = fit::test_samples(12, 3), .held_out = fit::test_samples(8, 4), .work_each = 1e4};
    const Precision precision = precision_from_name(name).value();
    const auto report = widen_measured(model, after, precision, samples, {});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_LE(stored_bytes(after), stored_bytes(before));
    EXPECT_EQ(before.broken.has_value(), after.broken.has_value());
    EXPECT_EQ(report->changed, report->measured < report->smallest);
    for (std::size_t i = 0; i < after.uses.size(); ++i) {
      EXPECT_EQ(after.stored.at(after.uses[i].value).encoding, after.assignments[i].encoding);
      const bool wide = value_bits(after.assignments[i].encoding) > bits_of(precision);
      EXPECT_EQ(is_matrix(after.uses[i].kind) && wide,
                !after.assignments[i].reason.empty() && is_matrix(after.uses[i].kind));
    }
  }
}

// Rows by 16.
std::string matrix(const std::string& name, std::int64_t rows, float scale, Random& random) {
  std::string elements;
  for (std::int64_t i = 0; i < rows * 16; ++i)
    elements += fmt::format("{}{:.5f}", i == 0 ? "" : ", ", random.number() * scale);
  return fmt::format("  value %{} : float32 [{}, 16] = {{{}}}\n", name, rows, elements);
}

// The sum of products with 90 matrices of one size, of which the last two are ten times as large,
// and with one of two rows, which takes no more bytes as float16 than at 4 bits.
Model sum_of_products() {
  Random random(1);
  std::string text =
      "model \"m\"\ngraph \"main\" {\n  input %x : float32 [1, 32]\n  input %z : float32 [1, 2]\n";
  for (int i = 0; i < 90; ++i)
    text += matrix(fmt::format("w{}", i), 32, i < 88 ? 0.1f : 1.0f, random);
  text += matrix("tiny", 2, 1, random) + "  %s0 = MatMul(%z, %tiny)\n";
  for (int i = 0; i < 90; ++i)
    text += fmt::format("  %p{0} = MatMul(%x, %w{0})\n  %s{1} = Add(%s{0}, %p{0})\n", i, i + 1);
  return fit::test_model(text + "  output %s90\n}\n");
}

// The sum of products with eight matrices of long rows, and with one of short rows a hundred times
// as large.
Model sum_of_long_products() {
  Random random(1);
  std::string text =
      "model \"m\"\ngraph \"main\" {\n  input %x : float32 [1, 512]\n  input %z : float32 [1, "
      "32]\n" +
      matrix("large", 32, 10, random);
  for (int i = 0; i < 8; ++i) text += matrix(fmt::format("w{}", i), 512, 0.1f, random);
  text += "  %s0 = MatMul(%z, %large)\n";
  for (int i = 0; i < 8; ++i)
    text += fmt::format("  %p{0} = MatMul(%x, %w{0})\n  %s{1} = Add(%s{0}, %p{0})\n", i, i + 1);
  return fit::test_model(text + "  output %s8\n}\n");
}

Tensor numbers(std::int64_t count, Random& random) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * sizeof(float));
  auto* const values = reinterpret_cast<float*>(bytes.data());
  for (std::int64_t i = 0; i < count; ++i) values[i] = random.number();
  return make_tensor(DType::float32, {1, count}, std::move(bytes));
}

TEST(WidenMeasured, FillsTheBytesOfTheSmallestToTheLast) {
  const Model model = sum_of_products();
  WeightPlan plan = plan_weights(model, policy_from_name("4bit").value()).value();
  const auto bytes = stored_bytes(plan);
  SampleSet samples{.work_each = 1e4};
  Random random(2);
  for (int i = 0; i < 8; ++i) {
    samples.tuning.push_back({numbers(32, random), numbers(2, random)});
    samples.held_out.push_back({numbers(32, random), numbers(2, random)});
  }
  const auto report = widen_measured(model, plan, Precision::bits4, samples, {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->changed);
  EXPECT_LE(stored_bytes(plan), bytes);
  std::vector<std::string> wide;
  for (std::size_t i = 0; i < plan.uses.size(); ++i)
    if (value_bits(plan.assignments[i].encoding) > 4)
      wide.push_back(model.main().values[plan.uses[i].value].name);
  std::ranges::sort(wide);
  EXPECT_EQ(wide, (std::vector<std::string>{"tiny", "w88", "w89"}));
}

TEST(WidenMeasured, AtEightBitsLongGroupsPayForWhatIsWider) {
  const Model model = sum_of_long_products();
  WeightPlan plan = plan_weights(model, policy_from_name("8bit").value()).value();
  const auto bytes = stored_bytes(plan);
  SampleSet samples{.work_each = 1e4};
  Random random(2);
  for (int i = 0; i < 8; ++i) {
    samples.tuning.push_back({numbers(512, random), numbers(32, random)});
    samples.held_out.push_back({numbers(512, random), numbers(32, random)});
  }
  const auto report = widen_measured(model, plan, Precision::bits8, samples, {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->changed);
  EXPECT_LT(report->measured, report->smallest / 4);
  EXPECT_LE(stored_bytes(plan), bytes);
  EXPECT_FALSE(plan.broken.has_value());
  std::vector<std::string> wide;
  bool has_long_groups = false;
  for (std::size_t i = 0; i < plan.uses.size(); ++i) {
    const Encoding& encoding = plan.assignments[i].encoding;
    if (value_bits(encoding) > 8) wide.push_back(model.main().values[plan.uses[i].value].name);
    const auto* const affine = std::get_if<AffineEncoding>(&encoding);
    has_long_groups = has_long_groups || (affine != nullptr && affine->group == 64);
  }
  EXPECT_EQ(wide, std::vector<std::string>{"large"});
  EXPECT_TRUE(has_long_groups);
}

TEST(WidenMeasured, WithoutWorkLeavesThePlan) {
  const Model model = fit::test_network();
  WeightPlan plan = plan_weights(model, policy_from_name("4bit").value()).value();
  const auto before = plan.stored;
  const SampleSet samples{
      .tuning = fit::test_samples(4, 3), .held_out = fit::test_samples(4, 4), .work_each = 1e12};
  const auto report = widen_measured(model, plan, Precision::bits4, samples, {});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->samples, 0u);
  for (const auto& [value, stored] : before)
    EXPECT_EQ(plan.stored.at(value).encoding, stored.encoding);
}

}  // namespace
}  // namespace subbyte::allocate
