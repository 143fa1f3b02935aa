// What goes element by element, and rows.
#include "calibrate/test_forms.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

using reference::floats;
using reference::make_node;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kLeast = std::numeric_limits<float>::denorm_min();

Tensor of_values(const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * 4);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return make_tensor(DType::float32, {static_cast<std::int64_t>(values.size())}, std::move(bytes));
}

// Numbers of all magnitudes and both signs, and those at which functions change.
Tensor all_kinds_of_numbers() {
  std::vector<float> values{0,    -0.0f, kInfinity, -kInfinity, kNan,  kLeast, -kLeast, 0x1p-126f,
                            0.5f, -0.5f, 1,         -1,         1.5f,  2.5f,   -2.5f,   0.625f,
                            88,   89,    -87,       -103,       -104,  3.95f,  -3.95f,  1e6f,
                            1e9f, 1e20f, 3e38f,     -3e38f,     1e-20f};
  Draw draw(1);
  for (const float scale : {1e-30f, 1e-8f, 1e-3f, 1.0f, 3.0f, 10.0f, 100.0f, 1e4f, 1e7f, 1e30f}) {
    const auto noise = reference::read_doubles(draw.noise({60}, scale));
    for (const double x : noise) values.push_back(static_cast<float>(x));
  }
  return of_values(values);
}

TEST(Unary, AllOfThem) {
  const Tensor x = all_kinds_of_numbers();
  for (std::size_t i = 1; i <= op_count(); ++i) {
    const auto op = static_cast<Op>(i);
    const std::string name(op_info(op).name);
    if (op_info(op).inputs_max != 1 || op_info(op).outputs_max != 1) continue;
    const Node node = make_node(op);
    const Result form = by_form(node, {x}, 1);
    if (!form || form->empty() || op == Op::Cast || op == Op::Transpose || op == Op::Softmax ||
        op == Op::LogSoftmax)
      continue;
    SCOPED_TRACE(name);
    // Differences of numbers near 1 lose what these are off by: the results are compared as a
    // whole.
    const bool cancels = op == Op::Gelu || op == Op::HardSigmoid;
    if (cancels) {
      Draw draw(2);
      expect_form(node, {draw.noise({1000}, 8)}, {1e-6});
    } else {
      expect_form(node, {x}, {1e-6, true});
    }
  }
}

TEST(Unary, GeluByTanh) {
  Draw draw(3);
  const Node node = make_node(Op::Gelu, {{"approximate", std::string("tanh")}});
  expect_form(node, {draw.noise({3, 50}, 8)}, {1e-6});
}

TEST(Binary, BroadcastsEveryWay) {
  Draw draw(4);
  for (const Op op : {Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Max, Op::Min, Op::Sum, Op::Mean,
                      Op::Equal, Op::Greater, Op::GreaterOrEqual, Op::Less, Op::LessOrEqual}) {
    SCOPED_TRACE(op_info(op).name);
    for (int round = 0; round < 12; ++round) {
      const Dims dims = draw.dims(draw.pick(0, 4), round == 0 ? 90 : 20);
      const auto some = [&] {
        Dims part = dims;
        for (std::int64_t& dim : part)
          if (draw.pick(0, 2) == 0) dim = 1;
        part.erase(part.begin(),
                   part.begin() + draw.pick(0, static_cast<std::int64_t>(part.size())));
        return draw.noise(part);
      };
      expect_form(make_node(op), {some(), some()}, {1e-6, true});
    }
    const Tensor a = floats({7}, {kNan, 1, 0, -0.0f, kInfinity, -kInfinity, 2});
    const Tensor b = floats({7, 1}, {kNan, 1, 0, -0.0f, kInfinity, -kInfinity, 2});
    expect_form(make_node(op), {a, b}, {1e-6, true});
  }
}

TEST(Binary, Powers) {
  const Tensor a = floats({11}, {0, -0.0f, 1, -1, 2, -2, 0.7f, kInfinity, -kInfinity, kNan, 1e20f});
  const Tensor b =
      floats({12, 1}, {0, 1, 2, 3, -1, 0.5f, -3, 2.5f, kInfinity, -kInfinity, kNan, 0.3f});
  expect_form(make_node(Op::Pow), {a, b}, {1e-6, true});
  for (const float y : {2.0f, 3.0f, 0.5f, -1.0f})
    expect_form(make_node(Op::Pow), {a, floats({}, {y})}, {1e-6, true});
  expect_form(make_node(Op::Pow), {a, reference::int64s({3, 1}, {2, -3, 5})}, {1e-6, true});
}

TEST(Binary, ManyOperandsAndSlopes) {
  Draw draw(5);
  for (const Op op : {Op::Max, Op::Min, Op::Sum, Op::Mean})
    expect_form(make_node(op), {draw.noise({3, 1}), draw.noise({40}), draw.noise({2, 1, 1})},
                {1e-6});
  expect_form(make_node(Op::PRelu), {draw.noise({2, 3, 20}), draw.noise({3, 1})}, {1e-6});
}

TEST(Clip, KeepsNaN) {
  const Tensor x = floats({6}, {kNan, -5, 0.5f, 5, kInfinity, -kInfinity});
  expect_form(make_node(Op::Clip), {x, floats({}, {-1}), floats({}, {2})});
  expect_form(make_node(Op::Clip), {x, std::nullopt, floats({}, {2})});
  expect_form(make_node(Op::Clip), {x, floats({}, {3}), floats({}, {2})});
  expect_form(make_node(Op::Clip), {x});
}

TEST(Where, Broadcasts) {
  Draw draw(6);
  const Tensor condition = reference::bools({2, 1, 3}, {1, 0, 1, 0, 0, 1});
  expect_form(make_node(Op::Where), {condition, draw.noise({4, 1}), draw.noise({3})});
  expect_form(make_node(Op::Where), {condition, draw.noise({}), draw.noise({2, 4, 3})});
}

TEST(Softmax, AlongEachAxis) {
  Draw draw(7);
  for (const Op op : {Op::Softmax, Op::LogSoftmax}) {
    for (const Dims& dims : {Dims{3, 5, 70}, Dims{2, 33, 300}, Dims{1}, Dims{4, 1}}) {
      for (std::size_t axis = 0; axis < dims.size(); ++axis)
        expect_form(make_node(op, {integer("axis", static_cast<std::int64_t>(axis))}),
                    {draw.noise(dims, 20)}, {3e-6});
    }
    const Tensor rows = floats({4, 3}, {kNan, 1, 2, -kInfinity, 1, 2, kInfinity, 1, 2, -kInfinity,
                                        -kInfinity, -kInfinity});
    expect_form(make_node(op, {integer("axis", 1)}), {rows}, {3e-6});
  }
}

TEST(Normalization, OverTheLastAxes) {
  Draw draw(8);
  for (int round = 0; round < 20; ++round) {
    const Dims dims = draw.dims(3, 60);
    const std::int64_t axis = draw.pick(0, 2);
    const Dims inner(dims.begin() + axis, dims.end());
    const std::vector<Attribute> attributes{integer("axis", axis), number("epsilon", 1e-3f)};
    Inputs inputs{draw.noise(dims, 3), draw.noise(draw.coin() ? inner : Dims{1})};
    expect_form(make_node(Op::RMSNormalization, attributes), inputs, {1e-5});
    if (draw.coin()) inputs.push_back(draw.noise({dims[2]}));
    expect_form(make_node(Op::LayerNormalization, attributes, draw.coin() ? 3 : 1), inputs, {1e-5});
  }
}

TEST(Reduce, OverEachSetOfAxes) {
  Draw draw(9);
  for (const Op op : {Op::ReduceL1, Op::ReduceL2, Op::ReduceLogSumExp, Op::ReduceMax,
                      Op::ReduceMean, Op::ReduceMin, Op::ReduceSum, Op::ReduceSumSquare}) {
    SCOPED_TRACE(op_info(op).name);
    for (std::int64_t set = 0; set < 16; ++set) {
      Dims axes;
      for (std::int64_t axis = 0; axis < 4; ++axis)
        if ((set >> axis & 1) != 0) axes.push_back(axis);
      const auto count = static_cast<std::int64_t>(axes.size());
      const Tensor list = make_int64_tensor({count}, axes);
      expect_form(make_node(op, {integer("keepdims", set % 2)}),
                  {draw.noise({3, 5, 4, set % 3 == 0 ? 37 : 6}), list}, {1e-5});
    }
    expect_form(make_node(op), {floats({2, 3}, {1, kNan, 2, -kInfinity, 3, kInfinity}),
                                reference::int64s({1}, {1})});
    expect_form(make_node(op), {floats({2, 3}, {1, kNan, 2, -kInfinity, 3, kInfinity}),
                                reference::int64s({1}, {0})});
  }
}

}  // namespace
}  // namespace subbyte::calibrate
