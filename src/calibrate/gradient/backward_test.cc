#include "calibrate/gradient/backward.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "calibrate/test_forms.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

using reference::floats;

// y = tanh(x w) t^T, z = the rows of t that ids name, t read twice and turned once for all samples.
struct Network {
  Model model;
  ValueId w = kNone, t = kNone, b = kNone;

  Network() {
    Graph& graph = model.graphs.emplace_back();
    const Expr n = model.exprs.symbol({.name = "n", .source = {}});
    Draw draw(1);
    const auto value = [&](std::string name, std::optional<Tensor> constant = std::nullopt) {
      Value v;
      v.name = std::move(name);
      v.dtype = constant ? constant->dtype : DType::float32;
      v.constant = std::move(constant);
      return graph.add_value(std::move(v));
    };
    const auto node = [&](Op op, std::vector<ValueId> inputs, ValueId output,
                          std::vector<Attribute> attributes = {}) {
      Node made = reference::make_node(op, std::move(attributes));
      made.inputs = std::move(inputs);
      made.outputs = {output};
      graph.add_node(std::move(made));
    };
    const ValueId x = value("x"), product = value("product"), tanh = value("tanh");
    const ValueId turned = value("turned"), y = value("y"), z = value("z"), sum = value("sum");
    const ValueId ids = value("ids", reference::int64s({2}, {1, 2}));
    graph.values[x].shape = std::vector<Expr>{n, model.exprs.constant(6)};
    w = value("w", draw.noise({6, 4}));
    t = value("t", draw.noise({3, 4}));
    b = value("b", draw.noise({4}));
    node(Op::MatMul, {x, w}, product);
    node(Op::Add, {product, b}, sum);
    node(Op::Tanh, {sum}, tanh);
    node(Op::Transpose, {t}, turned, {list("perm", {1, 0})});
    node(Op::MatMul, {tanh, turned}, y);
    node(Op::Gather, {t, ids}, z, {integer("axis", 0)});
    graph.inputs = {x};
    graph.outputs = {y, z};
  }
};

// Half the squares of all outputs of all samples.
double loss_of(const std::vector<std::vector<Tensor>>& outputs) {
  double sum = 0;
  for (const auto& sample : outputs)
    for (const Tensor& output : sample)
      for (const double x : reference::read_doubles(output)) sum += x * x / 2;
  return sum;
}

std::vector<Sample> samples() {
  Draw draw(2);
  return {{draw.noise({2, 6})}, {draw.noise({5, 6})}};
}

ConstantGradients gradients(const Network& network, const Backward& way, unsigned threads) {
  const std::vector<Sample> given = samples();
  auto run = Execution::begin(network.model, given, {.threads = threads, .keeps_values = true});
  while (run->next() < network.model.main().nodes.size()) EXPECT_TRUE(run->step());
  const auto outputs = *run->outputs();
  std::vector<std::vector<std::vector<float>>> lost(outputs.size());
  for (std::size_t s = 0; s < outputs.size(); ++s)
    for (const Tensor& output : outputs[s])
      lost[s].emplace_back(calibrate::floats(output),
                           calibrate::floats(output) + output.elements());
  ConstantGradients into;
  for (const ValueId v : way.constants())
    into[v].resize(static_cast<std::size_t>(network.model.main().constant(v)->elements()));
  Machine machine(threads);
  EXPECT_TRUE(way.run(*run, lost, into, machine));
  return into;
}

TEST(Backward, SumsOverReadersAndSamples) {
  const Network network;
  const auto way = Backward::find(network.model, {network.w, network.t, network.b}, {true, true});
  ASSERT_TRUE(way) << way.error().message;
  const ConstantGradients found = gradients(network, *way, 1);
  EXPECT_EQ(gradients(network, *way, 3), found);
  const std::vector<Sample> given = samples();
  for (const auto& [v, gradient] : found) {
    const Tensor& constant = *network.model.main().constant(v);
    for (std::size_t e = 0; e < gradient.size(); ++e) {
      constexpr float kStep = 1e-2f;
      double losses[2];
      for (const int side : {0, 1}) {
        std::vector<std::byte> bytes(constant.data.begin(), constant.data.end());
        const float moved = calibrate::floats(constant)[e] + (side == 0 ? -kStep : kStep);
        std::memcpy(bytes.data() + 4 * e, &moved, 4);
        ExecuteOptions options;
        options.replace = [&, v = v](ValueId value) -> Expected<std::optional<Tensor>> {
          if (value != v) return std::nullopt;
          return make_tensor(DType::float32, constant.dims, bytes);
        };
        losses[side] = loss_of(*execute(network.model, given, options));
      }
      EXPECT_NEAR(static_cast<double>(gradient[e]), (losses[1] - losses[0]) / (2 * kStep), 5e-3)
          << network.model.main().values[v].name << " " << e;
    }
  }
}

TEST(Backward, LeavesOutWhatTheLossDoesNotDependOn) {
  const Network network;
  const auto way = Backward::find(network.model, {network.w, network.t}, {false, true});
  ASSERT_TRUE(way) << way.error().message;
  EXPECT_EQ(way->constants(), std::set<ValueId>{network.t});
}

TEST(Backward, NamesTheNodeWithoutGradient) {
  Network network;
  Graph& graph = network.model.main();
  graph.nodes[2].op = Op::CumSum;
  graph.nodes[2].op_type = "CumSum";
  const auto way = Backward::find(network.model, {network.w}, {true, true});
  ASSERT_FALSE(way);
  EXPECT_THAT(way.error().message, testing::HasSubstr("the gradient of"));
  EXPECT_THAT(way.error().message, testing::HasSubstr("CumSum"));
  // What does not go through it is tuned all the same.
  EXPECT_TRUE(Backward::find(network.model, {network.t}, {true, true}));
}

}  // namespace
}  // namespace subbyte::calibrate
