// Graphs inside of nodes: what becomes of them, and that it computes what they did.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "graph/branches.h"
#include "graph/infer.h"
#include "graph/ops.h"
#include "graph/text.h"
#include "passes/passes.h"
#include "reference/reference.h"

namespace subbyte {
namespace {

using testing::ElementsAre;

Model resolved(const std::string& text) {
  auto model = parse_model(text);
  EXPECT_TRUE(model) << model.error().message;
  const auto done = resolve_control_flow(*model);
  EXPECT_TRUE(done) << done.error().message;
  const auto valid = verify(*model);
  EXPECT_TRUE(valid) << valid.error().message;
  return std::move(*model);
}

Tensor floats(std::vector<std::int64_t> dims, const std::vector<float>& values) {
  std::vector<std::byte> bytes(4 * values.size());
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return make_tensor(DType::float32, std::move(dims), std::move(bytes));
}

Tensor boolean(bool value) {
  return make_tensor(DType::boolean, {}, {value ? std::byte{1} : std::byte{0}});
}

std::vector<float> computed(const Model& model, const std::vector<Tensor>& inputs) {
  Model passed = model;
  const auto done = run_passes(passed, standard_passes());
  EXPECT_TRUE(done) << done.error().message;
  const auto outputs = reference::run(passed, inputs);
  EXPECT_TRUE(outputs) << outputs.error().message;
  std::vector<float> values(static_cast<std::size_t>(outputs->front().elements()));
  read_floats(outputs->front(), 0, outputs->front().elements(), values.data());
  return values;
}

std::size_t count(const Model& model, Op op) {
  return static_cast<std::size_t>(
      std::ranges::count(model.main().nodes, op, [](const Node& node) { return node.op; }));
}

// Both branches have a value `a`, and take `w` and `x` from around them; the inner If takes both.
constexpr const char* kNested = R"(model "m" ir_version 8 opset 18
graph "main" {
  input %x : float32 [n]
  input %c : bool []
  input %d : bool []
  value %w : float32 [1] = {10}
  %y : float32 ? = ""::"If"(%c) {then_branch = graph 1, else_branch = graph 3} "outer"
  output %y
}
graph "then" {
  value %x
  value %w
  value %d
  %a = Add(%x, %w)
  %o = ""::"If"(%d) {then_branch = graph 2, else_branch = graph 4} "inner"
  output %o
}
graph "inner_then" {
  value %a
  value %x
  %m = Mul(%a, %x)
  output %m
}
graph "else" {
  value %x
  value %w
  %a = Sub(%x, %w)
  output %a
}
graph "inner_else" {
  value %a
  output %a
}
)";

TEST(ControlFlow, BranchesComeIntoTheGraphAroundThem) {
  const Model model = resolved(kNested);
  EXPECT_EQ(model.graphs.size(), 1u);
  EXPECT_EQ(count(model, Op::Decide), 2u);
  EXPECT_EQ(count(model, Op::Merge), 2u);
  const Tensor x = floats({2}, {1, 2});
  EXPECT_THAT(computed(model, {x, boolean(true), boolean(true)}), ElementsAre(11, 24));
  EXPECT_THAT(computed(model, {x, boolean(true), boolean(false)}), ElementsAre(11, 12));
  EXPECT_THAT(computed(model, {x, boolean(false), boolean(true)}), ElementsAre(-9, -8));
}

TEST(ControlFlow, WhatOnlyOneSideNeedsIsGuarded) {
  const Model model = resolved(kNested);
  const Graph& graph = model.main();
  const Guards guards(graph);
  ASSERT_TRUE(guards.any());
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Op op = graph.nodes[n].op;
    const std::size_t guarded = guards.of_node(n).size();
    if (op == Op::Mul) {
      EXPECT_EQ(guarded, 2u);
    } else if (op == Op::Add || op == Op::Sub) {
      EXPECT_EQ(guarded, 1u);
    }
  }
}

TEST(ControlFlow, ABranchThatIsNeverTakenMayContradictItself) {
  const Model model = resolved(R"(model "m" ir_version 8 opset 18
graph "main" {
  input %x : float32 [n, 3]
  value %three : int64 [] = {3}
  value %one : int64 [] = {1}
  %dims = Shape(%x)
  %size = Gather(%dims, %one) {axis = 0}
  %c = Equal(%size, %three)
  %y : float32 ? = ""::"If"(%c) {then_branch = graph 1, else_branch = graph 2}
  output %y
}
graph "then" {
  value %x
  %a = Relu(%x)
  output %a
}
graph "else" {
  value %x
  value %four : float32 [4] = {1, 2, 3, 4}
  %b = Add(%x, %four)
  output %b
}
)");
  EXPECT_EQ(count(model, Op::Add), 0u);
  EXPECT_EQ(count(model, Op::Merge), 0u);
  EXPECT_THAT(computed(model, {floats({1, 3}, {-1, 0, 2})}), ElementsAre(0, 0, 2));
}

constexpr const char* kLoop = R"(model "m" ir_version 8 opset 18
graph "main" {
  input %x : float32 [2]
  value %turns : int64 [] = {3}
  value %yes : bool [] = {1}
  %last : float32 ?, %all : float32 ? = ""::"Loop"(%turns, %yes, %x) {body = graph 1}
  output %all
  output %last
}
graph "body" {
  input %i : int64 []
  input %go : bool []
  input %state : float32 [2]
  value %x
  value %yes
  %goes = Identity(%yes)
  %f = Cast(%i) {to = 1}
  %sum = Add(%state, %x)
  %next = Add(%sum, %f)
  output %goes
  output %next
  output %next
}
)";

TEST(ControlFlow, TurnsOfAKnownNumberStandInTheGraph) {
  const Model model = resolved(kLoop);
  EXPECT_EQ(model.graphs.size(), 1u);
  // 1 + 1 + 0, then + 1 + 1, then + 1 + 2.
  EXPECT_THAT(computed(model, {floats({2}, {1, 10})}), ElementsAre(2, 20, 4, 31, 7, 43));
}

TEST(ControlFlow, AScanGoesOverSlicesEitherWay) {
  const Model model = resolved(R"(model "m" ir_version 8 opset 18
graph "main" {
  input %x : float32 [2, 3]
  value %zero : float32 [2] = {0, 0}
  %last : float32 ?, %all : float32 ? = ""::"Scan"(%zero, %x) {body = graph 1, num_scan_inputs = 1, scan_input_axes = [1], scan_input_directions = [1]}
  output %all
  output %last
}
graph "body" {
  input %state : float32 [2]
  input %slice : float32 [2]
  %sum = Add(%state, %slice)
  %out = Identity(%sum)
  output %sum
  output %out
}
)");
  EXPECT_EQ(model.graphs.size(), 1u);
  EXPECT_THAT(computed(model, {floats({2, 3}, {1, 2, 3, 10, 20, 30})}),
              ElementsAre(3, 30, 5, 50, 6, 60));
}

std::string with(std::string text, const std::string& from, const std::string& to) {
  text.replace(text.find(from), from.size(), to);
  return text;
}

Tensor turns(std::int64_t count) { return make_int64_tensor({}, {&count, 1}); }

TEST(ControlFlow, TurnsThatAnInputCountsRunTheBody) {
  const Model model =
      resolved(with(kLoop, "value %turns : int64 [] = {3}", "input %turns : int64 []"));
  EXPECT_EQ(model.graphs.size(), 1u);
  EXPECT_EQ(count(model, Op::Enter), 1u);
  EXPECT_THAT(computed(model, {floats({2}, {1, 10}), turns(3)}), ElementsAre(2, 20, 4, 31, 7, 43));
  EXPECT_THAT(computed(model, {floats({2}, {1, 10}), turns(0)}), ElementsAre());
  EXPECT_THAT(computed(model, {floats({2}, {1, 10}), turns(1)}), ElementsAre(2, 20));
}

constexpr const char* kWhile = R"(model "m" ir_version 8 opset 18
graph "main" {
  input %x : float32 [2]
  input %limit : float32 []
  value %yes : bool [] = {1}
  %last : float32 ?, %sums : float32 ? = ""::"Loop"(-, %yes, %x) {body = graph 1}
  output %sums
  output %last
}
graph "body" {
  input %i : int64 []
  input %go : bool []
  input %state : float32 [2]
  value %limit
  %next = Add(%state, %state)
  %sum = ReduceSum(%next) {keepdims = 0}
  %goes = Less(%sum, %limit)
  output %goes
  output %next
  output %sum
}
)";

TEST(ControlFlow, AConditionOnDataEndsTheTurns) {
  const Model model = resolved(kWhile);
  EXPECT_THAT(computed(model, {floats({2}, {1, 2}), floats({}, {20})}), ElementsAre(6, 12, 24));
  EXPECT_THAT(computed(model, {floats({2}, {1, 2}), floats({}, {0})}), ElementsAre(6));
}

TEST(ControlFlow, WhatIsCarriedKeepsItsShape) {
  Model model =
      resolved(with(with(kLoop, "value %turns : int64 [] = {3}", "input %turns : int64 []"),
                    "%next = Add(%sum, %f)", "%next = Concat(%sum, %sum) {axis = 0}"));
  const auto done = infer(model);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message,
              testing::HasSubstr("has shape [2] before a turn and [4] after it"));
}

}  // namespace
}  // namespace subbyte
