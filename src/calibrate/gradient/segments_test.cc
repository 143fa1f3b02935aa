#include "calibrate/gradient/segments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "calibrate/batches.h"
#include "calibrate/test_forms.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

constexpr std::int64_t kLayers = 12, kWidth = 8, kWords = 20;

// The rows of a table that ids [n] name, layers that are added to them one after the other, and the
// table again, turned for all samples. A scale made of the ids is read in every layer.
struct Deep {
  Model model;
  std::set<ValueId> constants;

  Deep() {
    Graph& graph = model.graphs.emplace_back();
    const Expr n = model.exprs.symbol({.name = "n", .source = {}});
    Draw draw(1);
    const auto value = [&](std::string name, std::vector<Expr> shape,
                           DType dtype = DType::float32) {
      Value v;
      v.name = std::move(name);
      v.dtype = dtype;
      v.shape = std::move(shape);
      return graph.add_value(std::move(v));
    };
    const auto constant = [&](std::string name, Tensor tensor) {
      Value v;
      v.name = std::move(name);
      v.dtype = tensor.dtype;
      v.constant = std::move(tensor);
      return graph.add_value(std::move(v));
    };
    const auto node = [&](Op op, std::vector<ValueId> inputs, ValueId output,
                          std::vector<Attribute> attributes = {}) {
      Node made = reference::make_node(op, std::move(attributes));
      made.inputs = std::move(inputs);
      made.outputs = {output};
      graph.add_node(std::move(made));
    };
    const auto width = [&](std::int64_t size) { return model.exprs.constant(size); };
    const ValueId ids = value("ids", {n}, DType::int64);
    const ValueId table = constant("table", draw.noise({kWords, kWidth}));
    const ValueId scale = value("scale", {n});
    ValueId x = value("x", {n, width(kWidth)});
    node(Op::Gather, {table, ids}, x, {integer("axis", 0)});
    node(Op::Cast, {ids}, scale, {integer("to", 1)});
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
      const ValueId w = constant("w" + std::to_string(layer), draw.noise({kWidth, 4 * kWidth}));
      const ValueId v = constant("v" + std::to_string(layer), draw.noise({4 * kWidth, kWidth}));
      const ValueId up = value("up", {n, width(4 * kWidth)}),
                    bent = value("bent", {n, width(4 * kWidth)}),
                    down = value("down", {n, width(kWidth)}),
                    sum = value("sum", {n, width(kWidth)});
      node(Op::MatMul, {x, w}, up);
      node(Op::Tanh, {up}, bent);
      node(Op::MatMul, {bent, v}, down);
      node(Op::Add, {x, down}, sum);
      constants.insert({w, v});
      x = sum;
    }
    const ValueId turned = value("turned", {width(kWidth), width(kWords)}),
                  logits = value("logits", {n, width(kWords)});
    node(Op::Transpose, {table}, turned, {list("perm", {1, 0})});
    node(Op::MatMul, {x, turned}, logits);
    constants.insert(table);
    graph.inputs = {ids};
    graph.outputs = {logits, scale};
  }
};

std::vector<Sample> samples() {
  return {{reference::int64s({3}, {1, 7, 19})}, {reference::int64s({5}, {4, 4, 0, 2, 11})}};
}

// Of half the squares of the logits.
ConstantGradients gradients(const Deep& deep, const Segments& segments, unsigned threads,
                            std::vector<ValueId>* finished = nullptr) {
  const std::vector<Sample> given = samples();
  auto run = SegmentedRun::run(deep.model, given, {.threads = threads}, segments);
  EXPECT_TRUE(run) << run.error().message;
  std::vector<std::vector<std::vector<float>>> lost(given.size());
  for (std::size_t s = 0; s < given.size(); ++s) {
    const Tensor& logits = run->last().value(deep.model.main().outputs[0])[s];
    lost[s] = {{floats(logits), floats(logits) + logits.elements()}, {}};
  }
  const auto way = Backward::find(deep.model, deep.constants, {true, false});
  EXPECT_TRUE(way) << way.error().message;
  Machine machine(threads);
  ConstantGradients into;
  const auto tell = [&](ValueId v) {
    if (finished != nullptr) finished->push_back(v);
  };
  const auto done = run->back(*way, lost, into, machine, tell);
  EXPECT_TRUE(done) << done.error().message;
  return into;
}

TEST(Segments, GiveTheSameBitsHoweverTheGraphIsCut) {
  const Deep deep;
  const ConstantGradients whole = gradients(deep, {0}, 1);
  ASSERT_EQ(whole.size(), deep.constants.size());
  EXPECT_THAT(whole.begin()->second, testing::Contains(testing::Ne(0.0f)));
  EXPECT_EQ(gradients(deep, cut_into_segments(deep.model, samples()[1]), 3), whole);
  Segments each;
  for (NodeId n = 0; n < deep.model.main().nodes.size(); ++n) each.push_back(n);
  std::vector<ValueId> finished;
  EXPECT_EQ(gradients(deep, each, 1, &finished), whole);
  // Each once; the table, which the first node reads too, last.
  EXPECT_THAT(finished, testing::UnorderedElementsAreArray(deep.constants));
  EXPECT_EQ(deep.model.main().values[finished.back()].name, "table");
}

// What a run of a deep network takes grows with the root of its depth, about, not with its depth.
TEST(Segments, TakeLittleMemory) {
  const Deep deep;
  const Sample sample = samples()[1];
  const Segments cut = cut_into_segments(deep.model, sample);
  EXPECT_GT(cut.size(), 3u);
  EXPECT_EQ(segment_bytes(deep.model, sample, {0}),
            kept_bytes(deep.model, sample) - 5 * 8 - kWidth * kWords * 4);
  EXPECT_LT(4 * segment_bytes(deep.model, sample, cut), kept_bytes(deep.model, sample));
  // Where one layer is added to the next, so that little crosses.
  for (std::size_t s = 1; s < cut.size(); ++s) {
    const Graph& graph = deep.model.main();
    EXPECT_NE(graph.nodes[cut[s]].op, Op::Tanh) << s;
  }
}

TEST(Segments, SaysWhatIsWrongWithASample) {
  const Deep deep;
  const std::vector<Sample> wrong{{reference::int64s({1}, {kWords})}};
  EXPECT_FALSE(SegmentedRun::run(deep.model, wrong, {.threads = 1}, {0, 3}));
}

}  // namespace
}  // namespace subbyte::calibrate
