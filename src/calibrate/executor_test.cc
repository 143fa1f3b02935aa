#include "calibrate/executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "calibrate/batches.h"
#include "calibrate/test_forms.h"
#include "graph/infer.h"
#include "graph/ops.h"
#include "graph/text.h"

namespace subbyte {
namespace {

using calibrate::bits_of;
using calibrate::Draw;
using calibrate::OnTarget;
using reference::floats;

// y = tanh(x w) w', z = the sum of the rows of x w, x of shape [n, 40].
Model model_of() {
  Model model;
  Graph& graph = model.graphs.emplace_back();
  const Expr n = model.exprs.symbol({.name = "n", .source = {}});
  Draw draw(1);
  const auto value = [&](std::string name, std::optional<Tensor> constant = std::nullopt) {
    Value v;
    v.name = std::move(name);
    v.dtype = DType::float32;
    v.constant = std::move(constant);
    return graph.add_value(std::move(v));
  };
  const ValueId x = value("x"), w = value("w", draw.noise({40, 70}));
  const ValueId axes = value("axes", reference::int64s({1}, {0}));
  const ValueId product = value("product"), tanh = value("tanh"), y = value("y"), z = value("z");
  const ValueId w2 = value("w2", draw.noise({70, 3}));
  graph.values[axes].dtype = DType::int64;
  graph.values[x].shape = std::vector<Expr>{n, model.exprs.constant(40)};
  const auto node = [&](Op op, std::vector<ValueId> inputs, ValueId output) {
    Node made = reference::make_node(op);
    made.inputs = std::move(inputs);
    made.outputs = {output};
    graph.add_node(std::move(made));
  };
  node(Op::MatMul, {x, w}, product);
  node(Op::Tanh, {product}, tanh);
  node(Op::MatMul, {tanh, w2}, y);
  node(Op::ReduceSum, {product, axes}, z);
  graph.inputs = {x};
  graph.outputs = {y, z};
  return model;
}

std::vector<Sample> samples_of(const std::vector<std::int64_t>& sizes) {
  Draw draw(2);
  std::vector<Sample> samples;
  samples.reserve(sizes.size());
  for (const std::int64_t n : sizes) samples.push_back({draw.noise({n, 40})});
  return samples;
}

std::vector<std::string> bits_of_all(const Expected<std::vector<std::vector<Tensor>>>& results) {
  std::vector<std::string> bits;
  if (!results) return {results.error().message};
  for (const auto& outputs : *results)
    for (const Tensor& output : outputs) bits.push_back(bits_of(output));
  return bits;
}

TEST(Execute, AgreesWithTheReference) {
  const Model model = model_of();
  const auto samples = samples_of({5, 1, 33});
  const auto results = execute(model, samples);
  ASSERT_TRUE(results) << results.error().message;
  for (std::size_t s = 0; s < samples.size(); ++s) {
    const auto expected = reference::run(model, samples[s]);
    ASSERT_TRUE(expected);
    for (std::size_t i = 0; i < 2; ++i)
      calibrate::expect_close((*results)[s][i], (*expected)[i], {1e-5});
  }
}

TEST(Execute, TheSameBitsInAnyCompanyOnAnyMachine) {
  const Model model = model_of();
  const auto samples = samples_of({5, 1, 33, 7});
  const auto expected = bits_of_all(execute(model, samples));
  ExecuteOptions options;
  for (const unsigned threads : {1u, 2u, 3u}) {
    for (const int memory : {0, 20000, 1 << 30}) {
      options.threads = threads;
      options.memory = memory;
      EXPECT_TRUE(bits_of_all(execute(model, samples, options)) == expected);
    }
  }
  for (const std::int64_t target : calibrate::all_targets()) {
    const OnTarget on(target);
    EXPECT_TRUE(bits_of_all(execute(model, samples)) == expected) << hwy::TargetName(target);
  }
}

// From each node on, after the run that came so far has gone.
TEST(Execute, GoesOnFromWhatWasComputed) {
  const Model model = model_of();
  const auto samples = samples_of({5, 33});
  const auto expected = bits_of_all(execute(model, samples));
  for (NodeId end = 0; end <= model.main().nodes.size(); ++end) {
    std::shared_ptr<const Execution::Values> values;
    {
      auto run = Execution::begin(model, samples).value();
      while (run.next() < end) ASSERT_TRUE(run.step());
      values = run.values();
    }
    auto rest = Execution::resume(model, samples, *values, {.threads = 2});
    EXPECT_EQ(rest.next(), end);
    while (rest.next() < model.main().nodes.size()) ASSERT_TRUE(rest.step());
    EXPECT_TRUE(bits_of_all(rest.outputs()) == expected) << end;
  }
}

TEST(Execute, BatchesAreWhatFits) {
  Model model = model_of();
  ASSERT_TRUE(infer(model));
  const auto samples = samples_of({10, 10, 10, 30, 1});
  // The product, its tanh and y: [10, 70], [10, 70] and [10, 3], four bytes each.
  EXPECT_EQ(calibrate::activation_bytes(model, samples[0]), 5720);
  EXPECT_THAT(calibrate::batch_ends(model, samples, 2 * 5720), testing::ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(calibrate::batch_ends(model, samples, 0), testing::ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(calibrate::batch_ends(model, samples, 1 << 30), testing::ElementsAre(5));
  EXPECT_TRUE(calibrate::batch_ends(model, {}, 1).empty());
}

// As a table that is looked up in is turned to be multiplied with.
TEST(Execute, WhatConstantsMakeIsMadeOnce) {
  auto model = parse_model(R"(model "m"
graph "main" {
  input %x : float32 [n, 2]
  value %w : float32 [3, 2] = {1, 2, 3, 4, 5, 6}
  %turned = Transpose(%w) {perm = [1, 0]}
  %h = MatMul(%x, %turned)
  %y = Add(%h, %h)
  output %turned
  output %y
})");
  ASSERT_TRUE(model);
  ASSERT_TRUE(infer(*model));
  std::vector<Sample> samples;
  for (const std::int64_t rows : {2, 5}) {
    const std::vector<std::byte> bytes(static_cast<std::size_t>(rows) * 8, std::byte{0});
    samples.push_back({make_tensor(DType::float32, {rows, 2}, bytes)});
  }
  const auto outputs = execute(*model, samples);
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ((*outputs)[0][0].data.data(), (*outputs)[1][0].data.data());
  EXPECT_EQ((*outputs)[1][0].dims, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ((*outputs)[1][1].dims, (std::vector<std::int64_t>{5, 3}));
  // h and y, [2, 3] each; before the product x alone, where no output is wanted.
  EXPECT_EQ(calibrate::activation_bytes(*model, samples[0]), 48);
  EXPECT_EQ(calibrate::activation_bytes_before(*model, samples[0], 1, false), 16);
}

TEST(Execute, EachBatchReadsEachConstantOnce) {
  const Model model = model_of();
  const auto samples = samples_of({5, 1, 33});
  std::vector<ValueId> asked;
  ExecuteOptions options;
  options.replace = [&](ValueId value) -> Expected<std::optional<Tensor>> {
    asked.push_back(value);
    return std::nullopt;
  };
  ASSERT_TRUE(execute(model, samples, options));
  EXPECT_THAT(asked, testing::ElementsAre(1, 7));  // w, w2; integers are never replaced
  options.memory = 0;
  asked.clear();
  ASSERT_TRUE(execute(model, samples, options));
  EXPECT_THAT(asked, testing::ElementsAre(1, 7, 1, 7, 1, 7));
}

TEST(Execute, ReplacedConstantsAreComputedWith) {
  Model model = model_of();
  const auto samples = samples_of({5});
  Draw draw(9);
  const Tensor other = draw.noise({70, 3});
  ExecuteOptions options;
  options.replace = [&](ValueId value) -> Expected<std::optional<Tensor>> {
    if (value == 7) return other;
    return std::nullopt;
  };
  const auto replaced = bits_of_all(execute(model, samples, options));
  model.main().values[7].constant = other;
  EXPECT_TRUE(replaced == bits_of_all(execute(model, samples)));
  options.replace = [&](ValueId) -> Expected<std::optional<Tensor>> { return floats({2}, {1, 2}); };
  EXPECT_EQ(bits_of_all(execute(model, samples, options)).front(),
            "node 0 (MatMul): the constant 'w' of shape [40, 70] is replaced by float32 of shape "
            "[2]; it must be floats of that shape");
}

TEST(Execute, ShowsTheInputsOfEachNode) {
  const Model model = model_of();
  const auto samples = samples_of({2, 3});
  std::string seen;
  ExecuteOptions options;
  options.observe = [&](NodeId node, std::size_t sample, std::span<const Tensor* const> inputs) {
    seen += fmt::format("{} {}:", node, sample);
    for (const Tensor* input : inputs) seen += " " + reference::dims_text(input->dims);
    seen += "\n";
  };
  const std::string by_nodes =
      "0 0: [2, 40] [40, 70]\n0 1: [3, 40] [40, 70]\n1 0: [2, 70]\n1 1: [3, 70]\n"
      "2 0: [2, 70] [70, 3]\n2 1: [3, 70] [70, 3]\n3 0: [2, 70] [1]\n3 1: [3, 70] [1]\n";
  ASSERT_TRUE(execute(model, samples, options));
  EXPECT_EQ(seen, by_nodes);
}

TEST(Execute, EndsWhenAsked) {
  const Model model = model_of();
  int asked = 0;
  ExecuteOptions options;
  options.cancelled = [&] { return ++asked == 3; };
  const auto ended = execute(model, samples_of({5}), options);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, ErrorKind::cancelled);
  EXPECT_EQ(asked, 3);
}

TEST(Execute, InputsMustFit) {
  const Model model = model_of();
  const std::vector<Sample> samples{{floats({1, 2}, {1, 2})}};
  EXPECT_EQ(bits_of_all(execute(model, samples)).front(),
            "input 'x' has shape [1, 2]; it must be [n, 40], a name standing for one size "
            "everywhere");
}

// A constant may begin anywhere in a mapped file, and have any float dtype.
TEST(Execute, ConstantsOfAnyDtypeAndPlace) {
  Model model = model_of();
  const auto samples = samples_of({5});
  const auto expected = bits_of_all(execute(model, samples));
  Tensor& w = *model.main().values[1].constant;
  std::vector<std::byte> moved(w.data.size() + 1);
  std::copy(w.data.begin(), w.data.end(), moved.begin() + 1);
  Tensor owner = make_tensor(DType::uint8, {static_cast<std::int64_t>(moved.size())}, moved);
  w.data = owner.data.subspan(1);
  w.owner = owner.owner;
  EXPECT_TRUE(bits_of_all(execute(model, samples)) == expected);

  const auto floats_of = reference::read_doubles(*model_of().main().values[1].constant);
  std::vector<std::byte> wide(floats_of.size() * 8);
  std::memcpy(wide.data(), floats_of.data(), wide.size());
  model.main().values[1].constant = make_tensor(DType::float64, {40, 70}, wide);
  EXPECT_TRUE(bits_of_all(execute(model, samples)) == expected);
}

// A state is doubled while its sum is below a limit; a product with a weight that is read in every
// turn; what is outside of the body is computed once.
constexpr const char* kTurns = R"(model "m" ir_version 8 opset 18
graph "main" {
  input %x : float32 [2]
  input %limit : float32 []
  value %w : float32 [2, 2] = {1, 1, 0, 1}
  value %axes : int64 [1] = {0}
  %state, %turn = "subbyte"::"Enter"(-, -, -, %x)
  %outside = Neg(%x)
  %double = Add(%state, %state)
  %next = MatMul(%double, %w)
  %change = Add(%next, %outside)
  %sum = ReduceSum(%next, %axes) {keepdims = 0}
  %goes = Less(%sum, %limit)
  %found, %goes_on = "subbyte"::"Decide"(%goes)
  %last, %all = "subbyte"::"Leave"(%turn, %goes_on, %next, %change) {states = 1}
  output %last
  output %all
}
)";

TEST(Execute, EachSampleHasItsOwnTurns) {
  auto model = parse_model(kTurns);
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_TRUE(infer(*model));
  const std::vector<Sample> samples{{floats({2}, {1, 2}), floats({}, {20})},
                                    {floats({2}, {1, 2}), floats({}, {1000})},
                                    {floats({2}, {5, 5}), floats({}, {0})}};
  std::size_t products = 0;
  ExecuteOptions options{.observe = [&](NodeId node, std::size_t, const auto&) {
    products += model->main().nodes[node].op == Op::MatMul ? 1 : 0;
  }};
  const auto outputs = execute(*model, samples, options);
  ASSERT_TRUE(outputs) << outputs.error().message;
  std::int64_t turns = 0;
  for (std::size_t s = 0; s < samples.size(); ++s) {
    const auto wanted = reference::run(*model, samples[s]);
    ASSERT_TRUE(wanted) << wanted.error().message;
    for (std::size_t i = 0; i < wanted->size(); ++i) {
      EXPECT_EQ((*outputs)[s][i].dims, (*wanted)[i].dims);
      EXPECT_TRUE(std::ranges::equal((*outputs)[s][i].data, (*wanted)[i].data));
    }
    turns += (*wanted)[1].dims[0];
  }
  EXPECT_EQ((*outputs)[2][1].dims[0], 1);
  EXPECT_GT((*outputs)[1][1].dims[0], (*outputs)[0][1].dims[0]);
  EXPECT_EQ(static_cast<std::int64_t>(products), turns);
}

}  // namespace
}  // namespace subbyte
