#include "graph/ops.h"
#include "reference/test_tensors.h"

namespace subbyte::reference {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Unary, FloatsAreComputedInDoubleAndRoundedOnce) {
  const Tensor x = floats({4}, {-2, -0.5f, 0, 3});
  const auto of = [&](Op op, std::vector<Attribute> attributes = {}) {
    return text(evaluate_on(make_node(op, std::move(attributes)), {x}));
  };
  EXPECT_EQ(of(Op::Sigmoid), "float32 [4] 0.119203 0.377541 0.5 0.952574");
  EXPECT_EQ(of(Op::Gelu), "float32 [4] -0.0455003 -0.154269 0 2.99595");
  EXPECT_EQ(of(Op::Gelu, {{"approximate", std::string("tanh")}}),
            "float32 [4] -0.0454023 -0.154286 0 2.99636");
  EXPECT_EQ(of(Op::HardSwish), "float32 [4] -0.333333 -0.208333 0 3");
  EXPECT_EQ(of(Op::HardSigmoid), "float32 [4] 0.1 0.4 0.5 1");
  EXPECT_EQ(of(Op::LeakyRelu), "float32 [4] -0.02 -0.005 0 3");
  EXPECT_EQ(of(Op::Selu), "float32 [4] -1.52017 -0.691758 0 3.1521");
  EXPECT_EQ(of(Op::ThresholdedRelu), "float32 [4] 0 0 0 3");
  EXPECT_EQ(of(Op::Round), "float32 [4] -2 -0 0 3");
  EXPECT_EQ(of(Op::Sign), "float32 [4] -1 -1 0 1");
  EXPECT_EQ(of(Op::Gelu, {{"approximate", std::string("erf")}}),
            "error: Gelu: approximate is 'erf'; it must be 'none' or 'tanh'");
}

TEST(Unary, RoundTakesTheEvenNeighbour) {
  EXPECT_EQ(text(evaluate_on(make_node(Op::Round), {floats({4}, {0.5f, 1.5f, 2.5f, -2.5f})})),
            "float32 [4] 0 2 2 -2");
}

TEST(Unary, SmallestIntegerWrapsAround) {
  const Tensor x = tensor<std::int8_t>(DType::int8, {2}, {-128, 5});
  EXPECT_EQ(text(evaluate_on(make_node(Op::Neg), {x})), "int8 [2] -128 -5");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Abs), {x})), "int8 [2] -128 5");
}

TEST(Unary, OtherDtypesAreErrors) {
  EXPECT_EQ(text(evaluate_on(make_node(Op::Exp), {int32s({1}, {1})})),
            "error: Exp: dtype int32 is not one that this operator takes");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Not), {int32s({1}, {1})})),
            "error: Not: dtype int32 is not one that this operator takes");
}

TEST(Unary, InfinitiesOfEitherSign) {
  const Tensor x = floats({3}, {-kInfinity, kInfinity, 1});
  EXPECT_EQ(text(evaluate_on(make_node(Op::IsInf, {{"detect_negative", std::int64_t{0}}}), {x})),
            "bool [3] 0 1 0");
}

TEST(Cast, EachWayHasItsRule) {
  const auto cast = [](DType to, const Tensor& x) {
    return text(evaluate_on(make_node(Op::Cast, {{"to", static_cast<std::int64_t>(to)}}), {x}));
  };
  const Tensor x = floats({5}, {-1.7f, 300, std::nanf(""), 0, 1e20f});
  EXPECT_EQ(cast(DType::int32, x), "int32 [5] -1 300 0 0 2147483647");
  // As ONNX Runtime: the low bits of what 8 bits do not hold.
  EXPECT_EQ(cast(DType::uint8, x), "uint8 [5] 255 44 0 0 255");
  EXPECT_EQ(cast(DType::boolean, x), "bool [5] 1 1 1 0 1");
  EXPECT_EQ(cast(DType::float16, floats({2}, {1e-7f, 1e5f})), "float16 [2] 1.19209e-07 inf");
  EXPECT_EQ(cast(DType::int8, int64s({2}, {200, -129})), "int8 [2] -56 127");
  EXPECT_EQ(cast(DType::float32, bools({2}, {0, 1})), "float32 [2] 0 1");
  // 2^24 + 1 + 2^-30 would need a second rounding by way of double at 2^53 and above.
  EXPECT_EQ(
      cast(DType::float32, int64s({1}, {(std::int64_t{1} << 60) + (std::int64_t{1} << 36) + 1})),
      "float32 [1] 1.15292e+18");
  EXPECT_EQ(cast(DType::string, x),
            "error: Cast: data type 8 (to) is not supported; a tensor can be cast to floats but "
            "float8e8m0, bool and integers");
}

TEST(Binary, ShapesBroadcast) {
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Sub), {floats({2, 1}, {10, 20}), floats({3}, {1, 2, 3})})),
      "float32 [2, 3] 9 8 7 19 18 17");
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Add), {floats({2}, {1, 2}), floats({3}, {1, 2, 3})})),
      "error: Add: the shapes [2] and [3] do not broadcast; from the last axis on, dimensions "
      "must be equal or 1");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Add), {floats({0, 1}, {}), floats({3}, {1, 2, 3})})),
            "float32 [0, 3]");
}

TEST(Binary, IntegersWrapAndDivisionTruncates) {
  const Tensor a = tensor<std::int8_t>(DType::int8, {4}, {127, -128, -7, 7});
  const Tensor b = tensor<std::int8_t>(DType::int8, {4}, {2, -1, 2, -2});
  const auto of = [&](Op op, std::vector<Attribute> attributes = {}) {
    return text(evaluate_on(make_node(op, std::move(attributes)), {a, b}));
  };
  EXPECT_EQ(of(Op::Add), "int8 [4] -127 127 -5 5");
  EXPECT_EQ(of(Op::Mul), "int8 [4] -2 -128 -14 -14");
  EXPECT_EQ(of(Op::Div), "int8 [4] 63 -128 -3 -3");
  EXPECT_EQ(of(Op::Mod), "int8 [4] 1 0 1 -1");
  EXPECT_EQ(of(Op::Mod, {{"fmod", std::int64_t{1}}}), "int8 [4] 1 0 -1 1");
  EXPECT_EQ(of(Op::Less), "bool [4] 0 1 1 0");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Div), {int32s({1}, {1}), int32s({}, {0})})),
            "error: Div: an integer is divided by zero");
}

TEST(Binary, UnsignedComparisonUsesAllBits) {
  const Tensor a = tensor<std::uint64_t>(DType::uint64, {1}, {UINT64_MAX});
  const Tensor b = tensor<std::uint64_t>(DType::uint64, {1}, {1});
  EXPECT_EQ(text(evaluate_on(make_node(Op::Greater), {a, b})), "bool [1] 1");
}

TEST(Binary, ModOfFloats) {
  const Tensor a = floats({4}, {-5.5f, 5.5f, 5.5f, -1});
  const Tensor b = floats({4}, {2, -2, 0, kInfinity});
  EXPECT_EQ(text(evaluate_on(make_node(Op::Mod), {a, b})), "float32 [4] 0.5 -0.5 -nan inf");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Mod, {{"fmod", std::int64_t{1}}}), {a, b})),
            "float32 [4] -1.5 1.5 -nan -1");
}

TEST(Binary, PowTakesAnExponentOfAnyNumber) {
  const Tensor base = int32s({4}, {2, -3, -1, 1});
  EXPECT_EQ(text(evaluate_on(make_node(Op::Pow), {base, int64s({4}, {31, 3, -3, -9})})),
            "int32 [4] -2147483648 -27 -1 1");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Pow), {base, floats({}, {0.5f})})), "int32 [4] 1 0 0 1");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Pow), {floats({2}, {4, 2}), int64s({}, {-2})})),
            "float32 [2] 0.0625 0.25");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Pow), {int32s({1}, {0}), int32s({1}, {-1})})),
            "error: Pow: 0 to a negative power has no integer value");
}

TEST(Binary, DtypesMustAgree) {
  EXPECT_EQ(text(evaluate_on(make_node(Op::Add), {int32s({1}, {0}), int64s({1}, {1})})),
            "error: Add: the inputs are int32 and int64; they must have one dtype");
  EXPECT_EQ(text(evaluate_on(make_node(Op::And), {int32s({1}, {0}), int32s({1}, {1})})),
            "error: And: dtype int32 is not one that this operator takes");
}

TEST(Variadic, EachCombinesAllInputs) {
  const Tensor a = floats({2}, {1, 5}), b = floats({1}, {4}), c = floats({}, {-2});
  EXPECT_EQ(text(evaluate_on(make_node(Op::Max), {a, b, c})), "float32 [2] 4 5");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Min), {a, b, c})), "float32 [2] -2 -2");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Sum), {a, b, c})), "float32 [2] 3 7");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Mean), {a, b, c})), "float32 [2] 1 2.33333");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Max), {a, floats({}, {std::nanf("")})})),
            "float32 [2] nan nan");
}

TEST(Clip, UpperBoundWins) {
  const Tensor x = int32s({3}, {-5, 0, 5});
  EXPECT_EQ(text(evaluate_on(make_node(Op::Clip), {x, int32s({}, {-1}), int32s({}, {2})})),
            "int32 [3] -1 0 2");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Clip), {x, int32s({}, {4}), int32s({}, {2})})),
            "int32 [3] 2 2 2");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Clip), {x, std::nullopt, int32s({}, {2})})),
            "int32 [3] -5 0 2");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Clip), {x, int32s({2}, {4, 4})})),
            "error: Clip: input 1 has shape [2]; a bound must be a scalar");
}

TEST(Where, ThreeInputsBroadcast) {
  EXPECT_EQ(text(evaluate_on(make_node(Op::Where),
                             {bools({2, 1}, {1, 0}), int64s({2}, {1, 2}), int64s({}, {9})})),
            "int64 [2, 2] 1 2 9 9");
}

}  // namespace
}  // namespace subbyte::reference
