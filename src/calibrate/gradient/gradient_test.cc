// Gradients against central differences of the reference in double.
#include "calibrate/gradient/gradient.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "calibrate/test_forms.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

using reference::make_node;

Tensor as_double(const Tensor& tensor) {
  if (tensor.dtype != DType::float32) return tensor;
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < tensor.elements(); ++i)
    numbers.push_back(static_cast<double>(floats(tensor)[i]));
  const auto bytes = std::as_bytes(std::span(numbers));
  return make_tensor(DType::float64, tensor.dims, {bytes.begin(), bytes.end()});
}

Tensor with(const Tensor& tensor, std::int64_t element, double value) {
  std::vector<std::byte> bytes(tensor.data.begin(), tensor.data.end());
  std::memcpy(bytes.data() + element * 8, &value, 8);
  return make_tensor(tensor.dtype, tensor.dims, std::move(bytes));
}

std::vector<const Tensor*> pointers(const Inputs& inputs) {
  std::vector<const Tensor*> found;
  for (const auto& input : inputs) found.push_back(input ? &*input : nullptr);
  return found;
}

// A loss that weighs each element of the outputs by a number drawn for it.
class Loss {
 public:
  Loss(const Node& node, const Inputs& inputs) : node_(node) {
    for (const auto& input : inputs)
      inputs_.push_back(input ? std::optional(as_double(*input)) : std::nullopt);
    const Result outputs = reference::evaluate_on(node, inputs_);
    EXPECT_TRUE(outputs) << outputs.error().message;
    Draw draw(7);
    for (std::size_t o = 0; o < node.outputs.size(); ++o)
      weights_.push_back(draw.noise((*outputs)[o].dims));
  }
  const std::vector<Tensor>& weights() const { return weights_; }
  const Tensor& input(std::size_t i) const { return *inputs_[i]; }

  // Central differences.
  double slope(std::size_t input, std::int64_t element) {
    constexpr double kStep = 1e-5;
    const Tensor kept = *inputs_[input];
    const double at = reference::read_doubles(kept)[static_cast<std::size_t>(element)];
    inputs_[input] = with(kept, element, at + kStep);
    const double above = loss();
    inputs_[input] = with(kept, element, at - kStep);
    const double below = loss();
    inputs_[input] = kept;
    return (above - below) / (2 * kStep);
  }

 private:
  double loss() const {
    const Result outputs = reference::evaluate_on(node_, inputs_);
    double sum = 0;
    for (std::size_t o = 0; o < weights_.size(); ++o) {
      const auto numbers = reference::read_doubles((*outputs)[o]);
      for (std::size_t i = 0; i < numbers.size(); ++i)
        sum += numbers[i] * static_cast<double>(floats(weights_[o])[i]);
    }
    return sum;
  }

  const Node& node_;
  Inputs inputs_;
  std::vector<Tensor> weights_;
};

struct Wanted {
  std::vector<std::size_t> inputs{0};
  double tolerance = 2e-4;  // of the greatest
};

std::vector<std::vector<float>> gradients(const Node& node, const Inputs& inputs,
                                          const std::vector<Tensor>& weights, const Wanted& wanted,
                                          unsigned threads) {
  Machine machine(threads);
  const auto given = pointers(inputs);
  const Call call{node, given, reference::kMaxTensorBytes};
  const auto outputs = evaluate_node(Calls(&call, 1), machine);
  EXPECT_TRUE(outputs) << outputs.error().message;
  std::vector<const Tensor*> found;
  std::vector<const float*> lost;
  for (std::size_t o = 0; o < weights.size(); ++o) {
    found.push_back(&(*outputs)[0][o]);
    lost.push_back(floats(weights[o]));
  }
  std::vector<std::vector<float>> into(inputs.size());
  std::vector<float*> places(inputs.size(), nullptr);
  for (const std::size_t i : wanted.inputs) {
    // What is there already stays.
    into[i].assign(static_cast<std::size_t>(inputs[i]->elements()), 1.0f);
    places[i] = into[i].data();
  }
  EXPECT_NE(gradient_of(node), nullptr) << node.op_type;
  const auto done = gradient_of(node)(GradientCall{node, given, found, lost, places}, machine);
  EXPECT_TRUE(done) << done.error().message;
  return into;
}

void expect_gradient(const Node& node, const Inputs& inputs, const Wanted& wanted = {}) {
  SCOPED_TRACE(node.op_type);
  Loss loss(node, inputs);
  const auto found = gradients(node, inputs, loss.weights(), wanted, 1);
  for (const std::size_t input : wanted.inputs) {
    std::vector<double> expected;
    double greatest = 1;
    for (std::int64_t e = 0; e < inputs[input]->elements(); ++e) {
      expected.push_back(loss.slope(input, e));
      greatest = std::max(greatest, std::fabs(expected.back()));
    }
    for (std::size_t e = 0; e < expected.size(); ++e)
      EXPECT_NEAR(static_cast<double>(found[input][e]) - 1, expected[e],
                  wanted.tolerance * greatest)
          << "input " << input << ", element " << e;
  }
  for (const std::int64_t target : all_targets()) {
    const OnTarget on(target);
    for (const unsigned threads : {1u, 3u})
      EXPECT_EQ(gradients(node, inputs, loss.weights(), wanted, threads), found);
  }
}

Tensor int64s(Dims dims, std::vector<std::int64_t> values) {
  return make_int64_tensor(std::move(dims), values);
}

// Numbers away from 0, where functions have corners, and apart from each other.
Tensor apart(Draw& draw, const Dims& dims, float least, float most) {
  Tensor tensor = draw.noise(dims);
  std::vector<float> numbers(static_cast<std::size_t>(tensor.elements()));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = least + (most - least) * 0.5f * (floats(tensor)[i] + 1);
  const auto bytes = std::as_bytes(std::span(numbers));
  return make_tensor(DType::float32, dims, {bytes.begin(), bytes.end()});
}

TEST(Gradient, OfOneNumber) {
  Draw draw(1);
  for (const Op op :
       {Op::Abs,       Op::Asinh, Op::Atan,     Op::Celu,     Op::Cos,         Op::Cosh,
        Op::Elu,       Op::Erf,   Op::Exp,      Op::Gelu,     Op::HardSigmoid, Op::HardSwish,
        Op::LeakyRelu, Op::Mish,  Op::Neg,      Op::Relu,     Op::Selu,        Op::Sigmoid,
        Op::Sin,       Op::Sinh,  Op::Softplus, Op::Softsign, Op::Tanh,        Op::ThresholdedRelu,
        Op::Ceil,      Op::Floor, Op::Round,    Op::Sign}) {
    expect_gradient(make_node(op), {apart(draw, {3, 5}, 0.1f, 0.9f)});
    expect_gradient(make_node(op), {apart(draw, {3, 5}, -2.4f, -1.6f)});
  }
  for (const Op op : {Op::Acos, Op::Asin, Op::Atanh, Op::Log, Op::Reciprocal, Op::Sqrt, Op::Tan})
    expect_gradient(make_node(op), {apart(draw, {3, 5}, 0.1f, 0.8f)});
  expect_gradient(make_node(Op::Gelu, {{"approximate", std::string("tanh")}}),
                  {draw.noise({4, 6}, 3)});
}

TEST(Gradient, OfNumbersThatBroadcast) {
  Draw draw(2);
  for (int turn = 0; turn < 12; ++turn) {
    Dims a = draw.dims(draw.pick(1, 4), 4), b = a;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (draw.coin()) a[i] = 1;
      if (draw.coin()) b[i] = 1;
    }
    while (b.size() > 1 && draw.coin()) b.erase(b.begin());
    if (draw.coin()) std::swap(a, b);
    for (const Op op : {Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Pow, Op::Mean, Op::Sum})
      expect_gradient(make_node(op), {apart(draw, a, 0.5f, 2), apart(draw, b, 0.6f, 3)}, {{0, 1}});
    for (const Op op : {Op::Max, Op::Min})
      expect_gradient(make_node(op), {draw.noise(a), draw.noise(b)}, {{0, 1}});
  }
  expect_gradient(make_node(Op::Pow), {draw.noise({7}), Tensor(reference::floats({}, {2}))});
  expect_gradient(make_node(Op::PRelu), {draw.noise({2, 3, 4}), draw.noise({3, 1})}, {{0, 1}});
  expect_gradient(make_node(Op::Clip), {draw.noise({20}), reference::floats({}, {-0.5f}),
                                        reference::floats({}, {0.25f})});
}

TEST(Gradient, OfProducts) {
  Draw draw(3);
  const std::vector<std::pair<Dims, Dims>> shapes = {
      {{3, 5}, {5, 4}},          {{2, 3, 5}, {5, 4}}, {{2, 3, 5}, {2, 5, 4}},
      {{2, 1, 3, 5}, {4, 5, 2}}, {{5}, {5, 4}},       {{3, 5}, {5}},
      {{1, 3, 5}, {6, 5, 2}},    {{3, 5}, {2, 5, 4}}, {{2, 3, 4, 5}, {5, 1}},
      {{2, 3, 5}, {1, 5, 4}},
  };
  for (const auto& [a, b] : shapes)
    expect_gradient(make_node(Op::MatMul), {draw.noise(a), draw.noise(b)}, {{0, 1}});
  for (const std::int64_t turned : {0, 1, 2, 3}) {
    const Node node =
        make_node(Op::Gemm, {integer("transA", turned & 1), integer("transB", turned >> 1),
                             number("alpha", 0.5f), number("beta", 1.5f)});
    const Dims a = (turned & 1) != 0 ? Dims{5, 3} : Dims{3, 5};
    const Dims b = (turned & 2) != 0 ? Dims{4, 5} : Dims{5, 4};
    for (const Dims& c : {Dims{4}, Dims{3, 1}, Dims{3, 4}, Dims{1}})
      expect_gradient(node, {draw.noise(a), draw.noise(b), draw.noise(c)}, {{0, 1, 2}});
  }
}

TEST(Gradient, OfConvolutions) {
  Draw draw(4);
  for (int turn = 0; turn < 16; ++turn) {
    const std::int64_t rank = draw.pick(1, 2), groups = draw.coin() ? 1 : draw.pick(2, 3);
    const std::int64_t in = draw.pick(1, 3), out = draw.pick(1, 3);
    const bool transposed = draw.coin();
    Dims x{draw.pick(1, 2), groups * in}, kernel, strides, dilations, pads;
    for (std::int64_t i = 0; i < rank; ++i) {
      x.push_back(draw.pick(4, 7));
      kernel.push_back(draw.pick(1, 3));
      strides.push_back(draw.pick(1, 2));
      dilations.push_back(draw.pick(1, 2));
      pads.push_back(draw.pick(0, 1));
    }
    for (std::int64_t i = 0; i < rank; ++i) pads.push_back(draw.pick(0, 1));
    if (transposed) std::ranges::fill(pads, 0);
    Dims w = transposed ? Dims{groups * in, out} : Dims{groups * out, in};
    w.insert(w.end(), kernel.begin(), kernel.end());
    std::vector<Attribute> attributes{integer("group", groups), list("kernel_shape", kernel),
                                      list("strides", strides), list("dilations", dilations),
                                      list("pads", pads)};
    if (transposed) attributes.push_back(list("output_padding", Dims(kernel.size(), 0)));
    const Node node = make_node(transposed ? Op::ConvTranspose : Op::Conv, attributes);
    expect_gradient(node, {draw.noise(x), draw.noise(w), draw.noise({groups * out})}, {{0, 1, 2}});
  }
}

TEST(Gradient, OfPools) {
  Draw draw(5);
  for (int turn = 0; turn < 12; ++turn) {
    const Op op = draw.coin() ? Op::MaxPool : Op::AveragePool;
    std::vector<Attribute> attributes{
        list("kernel_shape", {draw.pick(2, 3), draw.pick(2, 3)}),
        list("strides", {draw.pick(1, 2), draw.pick(1, 2)}), list("dilations", {1, 1}),
        list("pads", {draw.pick(0, 1), draw.pick(0, 1), draw.pick(0, 1), draw.pick(0, 1)}),
        integer("ceil_mode", draw.pick(0, 1))};
    if (op == Op::AveragePool) attributes.push_back(integer("count_include_pad", draw.pick(0, 1)));
    expect_gradient(make_node(op, attributes), {draw.noise({2, 2, 5, 6})});
  }
}

TEST(Gradient, OfReductions) {
  Draw draw(6);
  for (const Op op :
       {Op::ReduceL1, Op::ReduceL2, Op::ReduceLogSum, Op::ReduceLogSumExp, Op::ReduceMax,
        Op::ReduceMean, Op::ReduceMin, Op::ReduceSum, Op::ReduceSumSquare}) {
    for (const auto& axes : {std::vector<std::int64_t>{0}, {1}, {2}, {0, 2}, {0, 1, 2}}) {
      const auto count = static_cast<std::int64_t>(axes.size());
      expect_gradient(make_node(op, {integer("keepdims", draw.pick(0, 1))}),
                      {apart(draw, {3, 4, 2}, 0.3f, 2), int64s({count}, axes)});
    }
  }
}

TEST(Gradient, OfRows) {
  Draw draw(7);
  for (const Op op : {Op::Softmax, Op::LogSoftmax})
    for (const std::int64_t axis : {0, 1, 2})
      expect_gradient(make_node(op, {integer("axis", axis)}), {draw.noise({3, 4, 5}, 2)});
  for (const std::int64_t axis : {1, 2}) {
    const Dims inner = axis == 1 ? Dims{4, 5} : Dims{5};
    expect_gradient(make_node(Op::LayerNormalization, {integer("axis", axis)}),
                    {draw.noise({3, 4, 5}), draw.noise(inner), draw.noise(inner)}, {{0, 1, 2}});
    expect_gradient(make_node(Op::RMSNormalization, {integer("axis", axis)}),
                    {draw.noise({3, 4, 5}), draw.noise(inner)}, {{0, 1}});
  }
}

TEST(Gradient, OfWhatMovesElements) {
  Draw draw(8);
  const Tensor x = draw.noise({2, 3, 4});
  expect_gradient(make_node(Op::Transpose, {list("perm", {2, 0, 1})}), {x});
  expect_gradient(make_node(Op::Reshape), {x, int64s({2}, {6, 4})});
  expect_gradient(make_node(Op::Unsqueeze), {x, int64s({1}, {1})});
  expect_gradient(make_node(Op::Slice), {x, int64s({2}, {2, 3}), int64s({2}, {-4, 0}),
                                         int64s({2}, {1, 2}), int64s({2}, {-1, -2})});
  Node split = make_node(Op::Split, {integer("axis", 2)});
  split.outputs = {0, 1};
  expect_gradient(split, {x, int64s({2}, {1, 3})});
  expect_gradient(make_node(Op::Expand), {draw.noise({3, 1}), int64s({3}, {2, 3, 4})});
  expect_gradient(make_node(Op::Gather, {integer("axis", 1)}), {x, int64s({2, 2}, {2, 0, 2, -1})});
  expect_gradient(make_node(Op::GatherElements, {integer("axis", 2)}),
                  {x, int64s({2, 3, 1}, {0, 3, 3, 1, -1, 0})});
  expect_gradient(make_node(Op::GatherND, {integer("batch_dims", 0)}),
                  {x, int64s({2, 2}, {1, 0, 1, 0})});
  expect_gradient(make_node(Op::Tile), {x, int64s({3}, {1, 2, 3})});
  for (const char* const mode : {"constant", "reflect", "edge"})
    expect_gradient(make_node(Op::Pad, {{"mode", std::string(mode)}}),
                    {x, int64s({6}, {0, 1, 2, 0, 1, 1}), reference::floats({}, {0.5f})});
  expect_gradient(
      make_node(Op::DepthToSpace, {integer("blocksize", 2), {"mode", std::string("CRD")}}),
      {draw.noise({1, 8, 2, 3})});
  expect_gradient(make_node(Op::SpaceToDepth, {integer("blocksize", 2)}),
                  {draw.noise({1, 2, 4, 6})});
  expect_gradient(make_node(Op::Trilu, {integer("upper", 0)}), {draw.noise({2, 4, 4})});
  expect_gradient(make_node(Op::Concat, {integer("axis", 1)}),
                  {x, draw.noise({2, 1, 4}), draw.noise({2, 2, 4})}, {{0, 2}});
  const auto mask = [](Dims dims, std::vector<std::uint8_t> bits) {
    const auto bytes = std::as_bytes(std::span(bits));
    return make_tensor(DType::boolean, std::move(dims), {bytes.begin(), bytes.end()});
  };
  expect_gradient(make_node(Op::Where), {mask({3, 1}, {1, 0, 1}), x, draw.noise({4})}, {{1, 2}});
  expect_gradient(make_node(Op::ScatterElements, {integer("axis", 0)}),
                  {draw.noise({4, 2}), int64s({2, 2}, {1, 3, 0, 1}), draw.noise({2, 2})}, {{0, 2}});
}

TEST(Gradient, IsNotKnownOfAllOperators) {
  EXPECT_EQ(gradient_of(make_node(Op::TopK)), nullptr);
  EXPECT_EQ(gradient_of(make_node(Op::LSTM)), nullptr);
  EXPECT_EQ(gradient_of(make_node(Op::Resize, {{"mode", std::string("linear")}})), nullptr);
  EXPECT_EQ(gradient_of(make_node(Op::ScatterND, {{"reduction", std::string("add")}})), nullptr);
}

}  // namespace
}  // namespace subbyte::calibrate
