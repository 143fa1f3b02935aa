#include "quantize/fit/moments.h"

#include <gtest/gtest.h>

#include "quantize/fit/test_network.h"
#include "quantize/weight_plan.h"

namespace subbyte::fit {
namespace {

// Two kinds of the same samples are each of them over its energy, drift and residual too.
TEST(Moments, KindsCountAlike) {
  const Model model = test_model(
      "model \"m\"\ngraph \"main\" {\n  input %x : float32 [1, 3, 4]\n"
      "  value %w : float32 [4, 2] = {1, 2, 3, 4, 5, 6, 7, 8}\n"
      "  %y = MatMul(%x, %w)\n  output %y\n}\n");
  const WeightPlan plan = plan_weights(model, policy_from_name("4bit").value()).value();
  ASSERT_EQ(plan.uses.size(), 1u);
  const auto inputs = ProductInputs::of(model.main(), plan.uses[0], 0);
  ASSERT_TRUE(inputs);
  Random random(3);
  const auto draw = [&](std::vector<std::int64_t> dims) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(dims[1] * dims[2]) * sizeof(float));
    auto* const numbers = reinterpret_cast<float*>(bytes.data());
    for (std::int64_t i = 0; i < dims[1] * dims[2]; ++i) numbers[i] = random.normal();
    return make_tensor(DType::float32, std::move(dims), std::move(bytes));
  };
  const std::vector<Tensor> x(2, draw({1, 3, 4})), wanted(2, draw({1, 3, 4}));
  const std::vector<Tensor> residual(2, draw({1, 3, 2})), should(2, draw({1, 3, 2}));
  const std::vector<std::size_t> kinds = {0, 1};
  const auto of = [&](std::size_t samples) {
    const auto some = [samples](const std::vector<Tensor>& all) {
      return std::span(all).first(samples);
    };
    calibrate::Machine machine(1);
    return measure_moments(*inputs, 4, 0, some(x), {some(wanted), some(should), some(residual)},
                           samples == 1 ? std::span<const std::size_t>() : kinds, 1000, 1, machine);
  };
  const Moments one = of(1), two = of(2);
  ASSERT_EQ(one.drift.size(), 16u);
  ASSERT_EQ(one.residual.size(), 8u);
  double energy = 0;
  for (std::size_t i = 0; i < 4; ++i) energy += one.products[i * 5];
  const auto expect_alike = [&](const std::vector<double>& a, const std::vector<double>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i] / energy, b[i], 1e-9);
  };
  expect_alike(one.products, two.products);
  expect_alike(one.drift, two.drift);
  expect_alike(one.residual, two.residual);
}

}  // namespace
}  // namespace subbyte::fit
