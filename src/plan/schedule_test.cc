#include "plan/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/text.h"
#include "graph/infer.h"
#include "graph/text.h"
#include "plan/lower.h"

namespace subbyte {
namespace {

using testing::ElementsAre;

Model model_of(const std::string& body) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n" + body + "}\n");
  EXPECT_TRUE(model) << model.error().message;
  const auto inferred = infer(*model);
  EXPECT_TRUE(inferred) << inferred.error().message;
  return std::move(*model);
}

// "MatMul -> y" for a kernel with an anchor, "y" for one without.
std::vector<std::string> kernels(Model model) {
  const auto scheduled = schedule(model);
  EXPECT_TRUE(scheduled) << scheduled.error().message;
  std::vector<std::string> result;
  for (const Kernel& kernel : scheduled->kernels) {
    const std::string& name = model.main().values[kernel.result].name;
    result.push_back(
        kernel.anchor == kNone ? name : model.main().nodes[kernel.anchor].op_type + " -> " + name);
  }
  return result;
}

std::vector<std::string> kernels(const std::string& body) { return kernels(model_of(body)); }

const char* const kProduct = R"(
  input %x : float32 [batch, 4]
  input %w : float32 [4, 4]
  input %b : float32 [4]
  %p = MatMul(%x, %w)
)";

TEST(Schedule, AGroupGrowsOverBiasResidualAndGelu) {
  EXPECT_THAT(kernels(std::string(kProduct) + R"(
  value %root : float32 [] = {1.4142135}
  value %one : float32 [] = {1}
  value %half : float32 [] = {0.5}
  %biased = Add(%p, %b)
  %sum = Add(%biased, %x)
  %scaled = Div(%sum, %root)
  %erf = Erf(%scaled)
  %more = Add(%erf, %one)
  %both = Mul(%sum, %more)
  %y = Mul(%both, %half)
  output %y
)"),
              ElementsAre("MatMul -> y"));
}

TEST(Schedule, AGroupGrowsOverReshapes) {
  EXPECT_THAT(kernels(std::string(kProduct) + R"(
  value %shape : int64 [3] = {-1, 2, 2}
  %r = Reshape(%p, %shape)
  %y = Relu(%r)
  output %y
)"),
              ElementsAre("MatMul -> y"));
}

TEST(Schedule, APoolReadsWhatIsStoredAndGrows) {
  EXPECT_THAT(kernels(R"(
  input %x : float32 [1, 4, height, width]
  %r = Exp(%x)
  %p = MaxPool(%r) {kernel_shape = [2, 2]}
  %y = Neg(%p)
  output %y
)"),
              ElementsAre("r", "MaxPool -> y"));
}

TEST(Schedule, APoolOfWhichOnlyTheIndicesAreWantedRuns) {
  EXPECT_THAT(kernels(R"(
  input %x : float32 [1, 4, height, width]
  %y, %places = MaxPool(%x) {kernel_shape = [2, 2]}
  output %places
)"),
              ElementsAre("MaxPool -> y"));
}

TEST(Schedule, APadIsComputedWhereItIsRead) {
  EXPECT_THAT(kernels(R"(
  input %x : float32 [1, 4, width]
  value %pads : int64 [6] = {0, 0, 1, 0, 0, 1}
  value %axes : int64 [1] = {2}
  %r = Exp(%x)
  %p = Pad(%r, %pads)
  %y = ReduceSum(%p, %axes)
  output %y
)"),
              ElementsAre("ReduceSum -> y"));
}

TEST(Schedule, WhatIsReadAtComputedPlacesIsStored) {
  EXPECT_THAT(kernels(R"(
  input %x : float32 [rows, 4]
  input %i : int64 [rows, 2]
  %r = Exp(%x)
  %g = GatherElements(%r, %i) {axis = 1}
  %y = Neg(%g)
  output %y
)"),
              ElementsAre("r", "y"));
}

TEST(Schedule, TwoReadersThatDoNotMeetEndAGroup) {
  EXPECT_THAT(kernels(std::string(kProduct) + R"(
  %biased = Add(%p, %b)
  %y = Relu(%biased)
  %z = Exp(%biased)
  output %y
  output %z
)"),
              ElementsAre("MatMul -> biased", "y", "z"));
}

TEST(Schedule, ATransposeEndsAGroup) {
  EXPECT_THAT(kernels(std::string(kProduct) + R"(
  %t = Transpose(%p)
  %y = Relu(%t)
  output %y
)"),
              ElementsAre("MatMul -> p", "y"));
}

TEST(Schedule, ABroadcastEndsAGroup) {
  EXPECT_THAT(kernels(std::string(kProduct) + R"(
  input %more : float32 [3, batch, 4]
  %y = Add(%p, %more)
  output %y
)"),
              ElementsAre("MatMul -> p", "y"));
}

TEST(Schedule, AnOutputInTheMiddleEndsAGroup) {
  EXPECT_THAT(kernels(std::string(kProduct) + R"(
  %biased = Add(%p, %b)
  %y = Relu(%biased)
  output %biased
  output %y
)"),
              ElementsAre("MatMul -> biased", "y"));
}

TEST(Schedule, WhatOneReductionReadsIsComputedInIt) {
  EXPECT_THAT(kernels(R"(
  input %x : float32 [rows, 8]
  %e = Exp(%x)
  %s = Sin(%e)
  %y = ReduceSum(%s)
  output %y
)"),
              ElementsAre("ReduceSum -> y"));
}

TEST(Schedule, WhatAProductReadsHasATensor) {
  EXPECT_THAT(kernels(R"(
  input %x : float32 [rows, 4]
  input %w : float32 [4, 4]
  %e = Exp(%x)
  %y = MatMul(%e, %w)
  output %y
)"),
              ElementsAre("e", "MatMul -> y"));
}

TEST(Schedule, ASharedCastIsRepeatedAndASharedExponentialIsStored) {
  const std::string shared = R"(
  input %i : int64 [rows, 8]
  value %axes : int64 [1] = {1}
  %shared = OPERATOR
  %y = ReduceSum(%shared, %axes)
  %z = ReduceMax(%shared, %axes)
  output %y
  output %z
)";
  const auto with = [&](const std::string& node) {
    std::string body = shared;
    body.replace(body.find("OPERATOR"), 8, node);
    return kernels(body);
  };
  EXPECT_THAT(with("Cast(%i) {to = 1}"), ElementsAre("ReduceSum -> y", "ReduceMax -> z"));
  EXPECT_THAT(with("Mul(%i, %i)"), ElementsAre("shared", "ReduceSum -> y", "ReduceMax -> z"));
}

TEST(Schedule, ViewsAndInputsAsOutputsNeedNoKernel) {
  EXPECT_THAT(kernels(R"(
  input %x : float32 [rows, 4]
  value %axes : int64 [1] = {0}
  %y = Unsqueeze(%x, %axes)
  %e = Exp(%x)
  %z = Unsqueeze(%e, %axes)
  output %y
  output %z
)"),
              ElementsAre("e"));
}

// Names of tensors that a step of the plan binds, per step.
std::size_t most_bindings(const Plan& plan) {
  std::size_t most = 0;
  for (const PlanStep& step : plan.steps) most = std::max(most, step.bindings.size());
  return most;
}

std::string inputs(int count) {
  std::string body;
  for (int i = 0; i < count; ++i) body += fmt::format("  input %x{} : float32 [n]\n", i);
  return body;
}

Plan plan_of(const std::string& body) {
  Model model = model_of(body);
  auto plan = lower(model, {});
  EXPECT_TRUE(plan) << plan.error().message;
  return std::move(*plan);
}

TEST(Schedule, AChainOfManyInputsStaysWithinTheBindings) {
  std::string body = inputs(30) + "  %s0 = Add(%x0, %x1)\n";
  for (int i = 2; i < 30; ++i) body += fmt::format("  %s{} = Mul(%s{}, %x{})\n", i - 1, i - 2, i);
  const Plan plan = plan_of(body + "  output %s28\n");
  EXPECT_EQ(most_bindings(plan), kMaxStorageBindings);
  EXPECT_LE(plan.steps.size(), 6u);
}

TEST(Schedule, OneNodeOfManyInputsStaysWithinTheBindings) {
  for (const char* op : {"Sum", "Max", "Min", "Mean"}) {
    SCOPED_TRACE(op);
    std::string list = "%x0";
    for (int i = 1; i < 20; ++i) list += fmt::format(", %x{}", i);
    const Plan plan = plan_of(inputs(20) + fmt::format("  %y = {}({})\n  output %y\n", op, list));
    EXPECT_LE(most_bindings(plan), kMaxStorageBindings);
    EXPECT_LE(plan.steps.size(), 4u);
  }
}

TEST(Schedule, AGroupOfManyInputsEndsWithinTheBindings) {
  std::string body = inputs(12) + R"(
  input %a : float32 [n, 4]
  input %v : float32 [4]
  %s0 = MatMul(%a, %v)
)";
  for (int i = 0; i < 12; ++i) body += fmt::format("  %s{} = Add(%s{}, %x{})\n", i + 1, i, i);
  const Plan plan = plan_of(body + "  output %s12\n");
  EXPECT_EQ(most_bindings(plan), kMaxStorageBindings);
  EXPECT_EQ(plan.steps.size(), 3u);
}

TEST(Schedule, PartsOfALongConcatAreCountedOneByOne) {
  std::string body = inputs(18), parts;
  for (int i = 0; i < 6; ++i) {
    body += fmt::format("  %p{0} = Sum(%x{1}, %x{2}, %x{3})\n", i, 3 * i, 3 * i + 1, 3 * i + 2);
    parts += fmt::format("{}%p{}", i == 0 ? "" : ", ", i);
  }
  const Plan plan = plan_of(body + "  %y = Concat(" + parts + ") {axis = 0}\n  output %y\n");
  EXPECT_EQ(plan.steps.size(), 6u);
  EXPECT_EQ(most_bindings(plan), 4u);
}

TEST(Schedule, StatisticsOfANormalizationCountAsBindings) {
  std::string body = inputs(0) + "  input %x : float32 [rows, 8]\n";
  for (int i = 0; i < 3; ++i) body += fmt::format("  input %r{} : float32 [rows, 8]\n", i);
  body += R"(
  input %scale : float32 [8]
  input %bias : float32 [8]
  %y, %mean, %deviation = LayerNormalization(%x, %scale, %bias)
  %y0 = Add(%y, %r0)
  %y1 = Mul(%y0, %r1)
  %y2 = Sub(%y1, %r2)
  output %y2
  output %mean
  output %deviation
)";
  const Plan plan = plan_of(body);
  EXPECT_EQ(most_bindings(plan), kMaxStorageBindings);
  EXPECT_EQ(plan.steps.size(), 2u);
}

TEST(Schedule, LongChainsOfElementwiseNodesAreCut) {
  std::string body = "  input %s0 : float32 [n]\n";
  for (int i = 0; i < 200; ++i) body += fmt::format("  %s{} = Sin(%s{})\n", i + 1, i);
  const Plan plan = plan_of(body + "  output %s200\n");
  EXPECT_GE(plan.steps.size(), 3u);
  EXPECT_LE(plan.steps.size(), 8u);
}

TEST(Schedule, LongChainsOfViewsAreCut) {
  std::string body = "  input %s0 : float32 [n, 2]\n";
  for (int i = 0; i < 200; ++i)
    body += fmt::format("  %s{} = Transpose(%s{}) {{perm = [1, 0]}}\n", i + 1, i);
  const Plan plan = plan_of(body + "  output %s200\n");
  EXPECT_GE(plan.steps.size(), 3u);
  EXPECT_LE(plan.steps.size(), 8u);
}

// Each reads what is before it at two places, which would be at 2^40 in the kernel of the last.
TEST(Schedule, ChainsThatReadAtTwoPlacesAreCut) {
  for (const char* link : {"  %t{1} = Transpose(%s{0}) {{perm = [1, 0]}}\n"
                           "  %s{1} = Add(%s{0}, %t{1})\n",
                           "  %j{1} = Concat(%s{0}, %s{0}) {{axis = 0}}\n"
                           "  %s{1} = Slice(%j{1}, %one, %five, %none, %one)\n",
                           "  %p{1} = Pad(%s{0}, %pads)\n"
                           "  %c{1} = Slice(%p{1}, %none, %four, %none, %one)\n"
                           "  %s{1} = Add(%s{0}, %c{1})\n"}) {
    SCOPED_TRACE(link);
    std::string body = "  input %s0 : float32 [4, 4]\n  value %none : int64 [1] = {0}\n";
    for (const char* constant : {"one : int64 [1] = {1}", "four : int64 [1] = {4}",
                                 "five : int64 [1] = {5}", "pads : int64 [4] = {1, 0, 0, 0}"}) {
      body += fmt::format("  value %{}\n", constant);
    }
    for (int i = 0; i < 40; ++i) body += fmt::format(fmt::runtime(link), i, i + 1);
    const Plan plan = plan_of(body + "  output %s40\n");
    EXPECT_GE(plan.steps.size(), 4u);
    EXPECT_LE(plan.steps.size(), 30u);
  }
}

TEST(Schedule, ALongConcatThatOneKernelCannotReadIsStored) {
  std::string body = inputs(10), parts;
  for (int i = 0; i < 10; ++i) parts += fmt::format("{}%x{}", i == 0 ? "" : ", ", i);
  const Plan plan =
      plan_of(body + "  %c = Concat(" + parts + ") {axis = 0}\n  %y = Relu(%c)\n  output %y\n");
  EXPECT_EQ(plan.steps.size(), 11u);
  EXPECT_EQ(most_bindings(plan), 2u);
}

TEST(Schedule, WhatAGroupReadsIsStoredWhereItDoesNotFit) {
  std::string body = inputs(9) + R"(
  input %a : float32 [n, 4]
  value %axes : int64 [1] = {1}
  %r = ReduceSum(%a, %axes) {keepdims = 0}
  %s0 = Add(%x0, %x1)
)";
  for (int i = 2; i < 7; ++i) body += fmt::format("  %s{} = Mul(%s{}, %x{})\n", i - 1, i - 2, i);
  const Plan plan = plan_of(body + R"(
  %y0 = Add(%r, %s5)
  %y1 = Mul(%y0, %x7)
  %y = Sub(%y1, %x8)
  output %y
)");
  EXPECT_EQ(plan.steps.size(), 2u);
  EXPECT_EQ(most_bindings(plan), kMaxStorageBindings);
}

TEST(Schedule, AMatrixOfSeveralPartsCountsAsThemInAGroup) {
  std::string body = "  input %p : float32 [4, 4]\n  input %q : float32 [4, 4]\n";
  for (int i = 0; i < 4; ++i) body += fmt::format("  input %x{} : float32 [4, 4]\n", i);
  body += R"(
  value %w : float32 [4, 4] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
  %z = MatMul(%p, %w)
  %n = Neg(%w)
  %s = MatMul(%p, %q)
  %s0 = Add(%s, %n)
  %s1 = Mul(%s0, %x0)
  %s2 = Sub(%s1, %x1)
  %s3 = Add(%s2, %x2)
  %y = Mul(%s3, %x3)
  output %z
  output %y
)";
  const Plan plan = plan_of(body);
  EXPECT_EQ(plan.steps.size(), 3u);
  EXPECT_EQ(most_bindings(plan), kMaxStorageBindings);
}

TEST(Schedule, WhatAnAnchorBindsOfItsOwnCountsInItsGroup) {
  std::string body = inputs(9) + R"(
  value %axis : int64 [] = {0}
  %s0 = CumSum(%x0, %axis)
)";
  for (int i = 1; i < 9; ++i) body += fmt::format("  %s{} = Add(%s{}, %x{})\n", i, i - 1, i);
  EXPECT_EQ(most_bindings(plan_of(body + "  output %s8\n")), kMaxStorageBindings);
}

// What is added to scores of a mask, and what takes more than that.
const char* const kMasks = R"(
  input %mask : int64 [batch, 4]
  value %one : float32 [] = {1}
  value %low : float32 [] = {-10000}
  %ones = Cast(%mask) {to = 1}
  %zeros = Sub(%one, %ones)
  %bias = Mul(%zeros, %low)
)";

TEST(Schedule, FewOperationsWithNumbersAreRepeated) {
  const std::string readers = R"(
  %first = Add(%p, %bias)
  %a = Softmax(%first) {axis = 1}
  %q = MatMul(%a, %w)
  %y = Add(%q, %bias)
  output %y
)";
  EXPECT_THAT(kernels(kProduct + std::string(kMasks) + readers),
              ElementsAre("MatMul -> first", "Softmax -> a", "MatMul -> y"));
  const std::string more = R"(
  %first = Add(%p, %less)
  %a = Softmax(%first) {axis = 1}
  %q = MatMul(%a, %w)
  %y = Add(%q, %less)
  output %y
)";
  EXPECT_THAT(kernels(kProduct + std::string(kMasks) + "  %less = Add(%bias, %one)\n" + more),
              ElementsAre("less", "MatMul -> first", "Softmax -> a", "MatMul -> y"));
}

}  // namespace
}  // namespace subbyte
