// What moves elements gives those that the reference gives, of every size.
#include "calibrate/test_forms.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

using reference::int64s;
using reference::make_node;

// Tensors of one shape whose elements take 1, 2, 4 and 8 bytes.
std::vector<Tensor> of_each_size(Draw& draw, const Dims& dims) {
  std::vector<Tensor> tensors;
  for (const DType dtype : {DType::uint8, DType::float16, DType::float32, DType::int64}) {
    const auto count = static_cast<std::size_t>(reference::product(dims, 0, dims.size()));
    std::vector<std::byte> bytes(count * dtype_size(dtype));
    // Small numbers, none of them a NaN.
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(draw.pick(0, 60));
    tensors.push_back(make_tensor(dtype, dims, std::move(bytes)));
  }
  return tensors;
}

TEST(Movement, TransposesEveryWay) {
  Draw draw(1);
  for (const Tensor& x : of_each_size(draw, {2, 19, 3, 70})) {
    Dims perm{0, 1, 2, 3};
    do {
      expect_form(make_node(Op::Transpose, {list("perm", perm)}), {x});
    } while (std::next_permutation(perm.begin(), perm.end()));
  }
}

TEST(Movement, SlicesAndSplits) {
  Draw draw(2);
  for (const Tensor& x : of_each_size(draw, {9, 5, 12})) {
    expect_form(make_node(Op::Slice), {x, int64s({2}, {1, -3}), int64s({2}, {8, 100}),
                                       int64s({2}, {0, 2}), int64s({2}, {3, 1})});
    expect_form(make_node(Op::Slice),
                {x, int64s({1}, {100}), int64s({1}, {-100}), int64s({1}, {2}), int64s({1}, {-2})});
    expect_form(make_node(Op::Slice),
                {x, int64s({1}, {4}), int64s({1}, {4}), int64s({1}, {0}), int64s({1}, {1})});
    expect_form(make_node(Op::Split, {integer("axis", 2)}, 3), {x, int64s({3}, {5, 0, 7})});
    expect_form(make_node(Op::Split, {integer("axis", 0)}, 2), {x});
  }
}

TEST(Movement, ExpandsAndJoins) {
  Draw draw(3);
  for (const Tensor& x : of_each_size(draw, {3, 1, 5})) {
    expect_form(make_node(Op::Expand), {x, int64s({4}, {2, 1, 4, 5})});
    expect_form(make_node(Op::Expand), {x, int64s({1}, {1})});
    for (std::int64_t axis = 0; axis < 3; ++axis)
      expect_form(make_node(Op::Concat, {integer("axis", axis)}), {x, x, x});
  }
}

TEST(Movement, Gathers) {
  Draw draw(4);
  for (const Tensor& x : of_each_size(draw, {3, 40, 5})) {
    for (std::int64_t axis = 0; axis < 3; ++axis)
      expect_form(make_node(Op::Gather, {integer("axis", axis)}),
                  {x, int64s({2, 2}, {0, 2, -1, 1})});
    expect_form(make_node(Op::Gather, {integer("axis", 1)}), {x, int64s({}, {7})});
  }
}

// The reference says what is wrong.
TEST(Movement, WrongIndicesAreNotItsOwn) {
  Draw draw(5);
  const Result found =
      by_form(make_node(Op::Gather, {integer("axis", 0)}), {draw.noise({3}), int64s({1}, {3})}, 1);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->empty());
}

}  // namespace
}  // namespace subbyte::calibrate
