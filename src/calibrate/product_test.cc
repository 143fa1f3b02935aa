// Products and convolutions. A sum of k products in float32, in one chain, is off by at most about
// k * 2^-24 of what the magnitudes add up to; in these by far less than 1e-5 of the largest result.
#include "calibrate/test_forms.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

using reference::make_node;

constexpr Tolerance kSum{1e-5};

TEST(MatMul, OfAllShapes) {
  Draw draw(1);
  const auto multiply = [&](Dims a, Dims b) {
    SCOPED_TRACE(reference::dims_text(a) + " times " + reference::dims_text(b));
    expect_form(make_node(Op::MatMul), {draw.noise(std::move(a)), draw.noise(std::move(b))}, kSum);
  };
  multiply({1, 1}, {1, 1});
  multiply({5}, {5});
  multiply({5}, {5, 3});
  multiply({4, 5}, {5});
  multiply({2, 3, 4, 5}, {5});
  multiply({4, 0}, {0, 3});
  multiply({0, 4}, {4, 3});
  multiply({3, 1, 4, 5}, {2, 5, 6});
  multiply({4, 5}, {2, 3, 5, 6});
  multiply({2, 3, 4, 5}, {1, 1, 5, 6});
  multiply({37, 200}, {200, 131});
  multiply({3, 300}, {300, 64});  // few rows, whole panels
  for (int round = 0; round < 20; ++round) {
    const std::int64_t depth = draw.pick(1, 70);
    multiply({draw.pick(1, 40), depth}, {depth, draw.pick(1, 90)});
  }
}

TEST(MatMul, InOrderOfTheDepth) {
  // 2^24 + 1 - 2^24: any other order, and a fused product, would keep the 1.
  const Tensor a = reference::floats({1, 3}, {1, 1, 1});
  const Tensor b = reference::floats({3, 1}, {16777216, 1, -16777216});
  const Result product = by_form(make_node(Op::MatMul), {a, b}, 1);
  EXPECT_EQ(reference::text(product), "float32 [1, 1] 0");
}

TEST(MatMul, NonFiniteNumbersSpreadAsTheyDo) {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor a = reference::floats({2, 2}, {inf, 1, 1, 1});
  const Tensor b = reference::floats({2, 2}, {0, 1, 1, -inf});
  expect_form(make_node(Op::MatMul), {a, b});
}

TEST(Gemm, WithAllItsAttributes) {
  Draw draw(2);
  for (int round = 0; round < 40; ++round) {
    const std::int64_t m = draw.pick(1, 20), k = draw.pick(1, 40), n = draw.pick(1, 70);
    const bool left = draw.coin(), right = draw.coin();
    const Node gemm = make_node(
        Op::Gemm, {integer("transA", left), integer("transB", right),
                   number("alpha", draw.coin() ? 1 : 0.5f), number("beta", draw.coin() ? 1 : 2)});
    Inputs inputs{draw.noise(left ? Dims{k, m} : Dims{m, k}),
                  draw.noise(right ? Dims{n, k} : Dims{k, n})};
    const Dims biases[] = {{n}, {m, 1}, {1}, {m, n}, {}};
    if (draw.coin()) inputs.push_back(draw.noise(biases[draw.pick(0, 4)]));
    expect_form(gemm, inputs, kSum);
  }
}

struct Window {
  Dims in, kernel;
  std::vector<Attribute> attributes;
};

Window draw_window(Draw& draw, std::int64_t rank) {
  Window w;
  Dims strides, dilations, pads;
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    w.kernel.push_back(draw.pick(1, 4));
    dilations.push_back(draw.pick(1, 2));
    strides.push_back(draw.pick(1, 3));
    w.in.push_back((w.kernel.back() - 1) * dilations.back() + draw.pick(1, rank == 3 ? 8 : 40));
  }
  for (std::int64_t i = 0; i < 2 * rank; ++i)
    pads.push_back(draw.pick(0, w.kernel[static_cast<std::size_t>(i % rank)] - 1));
  w.attributes = {list("kernel_shape", w.kernel), list("strides", strides),
                  list("dilations", dilations), list("pads", pads)};
  return w;
}

Dims joined(Dims a, const Dims& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Conv, OfAllKinds) {
  Draw draw(3);
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    Window w = draw_window(draw, draw.pick(1, 3));
    const bool depthwise = round % 3 == 0, pointwise = round % 7 == 1;
    if (pointwise) {
      w.kernel.assign(w.in.size(), 1);
      w.attributes.clear();
      if (draw.coin()) w.in.assign(w.in.size(), 1);
    }
    const std::int64_t groups = depthwise ? draw.pick(1, 6) : draw.pick(1, 2);
    const std::int64_t in = depthwise ? 1 : draw.pick(1, 5), out = draw.pick(1, 9);
    w.attributes.push_back(integer("group", groups));
    Inputs inputs{draw.noise(joined({draw.pick(1, 2), groups * in}, w.in)),
                  draw.noise(joined({groups * out, in}, w.kernel))};
    if (draw.coin()) inputs.push_back(draw.noise({groups * out}));
    expect_form(make_node(Op::Conv, w.attributes), inputs, kSum);
  }
}

TEST(Conv, AWindowFarLargerThanTheInput) {
  Draw draw(4);
  // One element of each window is inside; what is around would take terabytes.
  const Node node = make_node(Op::Conv, {list("dilations", {1 << 20, 1 << 20}),
                                         list("pads", {1 << 20, 1 << 20, 1 << 20, 1 << 20})});
  expect_form(node, {draw.noise({1, 1, 3, 3}), draw.noise({1, 1, 3, 3})}, kSum);
}

TEST(ConvTranspose, OfAllKinds) {
  Draw draw(5);
  for (int round = 0; round < 30; ++round) {
    SCOPED_TRACE(round);
    Window w = draw_window(draw, draw.pick(1, 2));
    const std::int64_t groups = draw.pick(1, 3), in = draw.pick(1, 4), out = draw.pick(1, 4);
    w.attributes.push_back(integer("group", groups));
    Inputs inputs{draw.noise(joined({draw.pick(1, 2), groups * in}, w.in)),
                  draw.noise(joined({groups * in, out}, w.kernel))};
    if (draw.coin()) inputs.push_back(draw.noise({groups * out}));
    expect_form(make_node(Op::ConvTranspose, w.attributes), inputs, kSum);
  }
}

TEST(Pool, OfAllKinds) {
  Draw draw(6);
  for (const Op op : {Op::MaxPool, Op::AveragePool, Op::LpPool}) {
    for (int round = 0; round < 30; ++round) {
      SCOPED_TRACE(round);
      Window w = draw_window(draw, draw.pick(1, 3));
      w.attributes.push_back(integer("ceil_mode", draw.coin()));
      if (op == Op::AveragePool) w.attributes.push_back(integer("count_include_pad", draw.coin()));
      if (op == Op::LpPool) w.attributes.push_back(integer("p", draw.pick(1, 3)));
      expect_form(make_node(op, w.attributes),
                  {draw.noise(joined({draw.pick(1, 2), draw.pick(1, 5)}, w.in))}, kSum);
    }
  }
}

}  // namespace
}  // namespace subbyte::calibrate
