// Inputs lie where what a model does with them first says, whatever lies in between.
#include "samples/standardised.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "graph/infer.h"
#include "graph/text.h"
#include "samples/likely_sizes.h"
#include "samples/made_inputs.h"
#include "samples/made_numbers.h"

namespace subbyte {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

Model model_of(const std::string& body) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n" + body + "}");
  if (!model) throw std::runtime_error(model.error().message);
  if (auto inferred = infer(*model); !inferred) throw std::runtime_error(inferred.error().message);
  return std::move(*model);
}

// What an input of one row holds where the model computes with zeros.
std::vector<float> middle_of(const Model& model, std::size_t input, std::size_t count) {
  const Graph& graph = model.main();
  const Standardisation found = find_standardisation(model, find_uses(graph), graph.inputs[input]);
  EXPECT_TRUE(found.tells());
  std::vector<float> numbers(count, 0);
  found.undo(numbers, std::vector<std::int64_t>{1, static_cast<std::int64_t>(count)});
  return numbers;
}

TEST(Standardisation, OfInputsThatAreJoinedFirst) {
  const Model model = model_of(R"(  input %a : float32 [n, 2]
  input %b : int64 [n, 3]
  value %means : float32 [5] = {1, 2, 30, 40, 50}
  value %two : float32 [] = {2}
  %c = Cast(%b) {to = 1}
  %x = Concat(%a, %c) {axis = 1}
  %y = Sub(%x, %means)
  %z = Div(%y, %two)
  output %z
)");
  EXPECT_THAT(middle_of(model, 0, 2), ElementsAre(1, 2));
  EXPECT_THAT(middle_of(model, 1, 3), ElementsAre(30, 40, 50));
}

TEST(Standardisation, OfPartsThatAreCutOut) {
  const Model model = model_of(R"(  input %x : float32 [n, 6]
  value %sizes : int64 [2] = {4, 2}
  value %starts : int64 [1] = {1}
  value %ends : int64 [1] = {3}
  value %axes : int64 [1] = {1}
  value %steps : int64 [1] = {1}
  value %seven : float32 [] = {7}
  value %means : float32 [2] = {100, 200}
  %left, %right = Split(%x, %sizes) {axis = 1}
  %cut = Slice(%left, %starts, %ends, %axes, %steps)
  %a = Sub(%cut, %means)
  %b = Sub(%right, %seven)
  %c = Relu(%left)
  output %a
  output %b
  output %c
)");
  EXPECT_THAT(middle_of(model, 0, 6), ElementsAre(0, 100, 200, 0, 7, 7));
}

TEST(Standardisation, OfLogarithmsAndSquareRoots) {
  const Model model = model_of(R"(  input %x : float32 [n, 2]
  input %y : float32 [n, 2]
  value %one : float32 [] = {1}
  value %means : float32 [2] = {1, 3}
  %more = Add(%x, %one)
  %log = Log(%more)
  %a = Sub(%log, %means)
  %root = Sqrt(%y)
  %b = Sub(%root, %means)
  output %a
  output %b
)");
  EXPECT_THAT(middle_of(model, 0, 2),
              ElementsAre(FloatNear(std::expm1(1.0f), 1e-4f), FloatNear(std::expm1(3.0f), 1e-4f)));
  EXPECT_THAT(middle_of(model, 1, 2), ElementsAre(FloatNear(1, 1e-5f), FloatNear(9, 1e-5f)));
}

// A scale alone tells no place, and what is added along several axes is no mean of features.
TEST(Standardisation, DoesNotTellEverything) {
  const Model model = model_of(R"(  input %x : float32 [n, 2, 2]
  value %half : float32 [] = {0.5}
  value %places : float32 [1, 2, 2] = {1, 2, 3, 4}
  %y = Mul(%x, %half)
  %z = Add(%y, %places)
  output %z
)");
  EXPECT_FALSE(find_standardisation(model, find_uses(model.main()), 0).tells());
}

// Each of so many samples, and which kind of it.
TEST(MadeNumbers, OfWholeNumbersThatAreComputedWithAsFloats) {
  const Model model = model_of(R"(  input %x : uint8 [n, 2]
  input %length : int64 [n, 2]
  value %w : float32 [2, 1] = {1, 2}
  %f = Cast(%x) {to = 1}
  %y = MatMul(%f, %w)
  output %y
  output %length
)");
  const auto contents = input_contents(model);
  EXPECT_TRUE(contents[0].quantity);
  EXPECT_FALSE(contents[1].quantity);
  EXPECT_TRUE(may_be_anything(model.main().values[model.main().inputs[0]], contents[0]));
  const std::vector<std::int64_t> sizes = {50};
  std::vector<std::int64_t> largest;
  for (std::size_t kind = 0; kind < kKindsOfNumbers; ++kind) {
    const auto sample = made_inputs(model, contents, sizes, 1, kind);
    ASSERT_TRUE(sample) << sample.error().message;
    const auto numbers = *integer_values((*sample)[0]);
    ASSERT_EQ(numbers.size(), 100u);
    largest.push_back(*std::ranges::max_element(numbers));
    EXPECT_THAT(*integer_values((*sample)[1]), testing::Each(1));
  }
  EXPECT_EQ(largest[0], 1);  // bits
  EXPECT_GT(largest[1], 1);  // counts
  EXPECT_LT(largest[1], 10);
  EXPECT_EQ(largest[2], 1);    // one of several
  EXPECT_GT(largest[3], 200);  // bytes
}

TEST(MadeNumbers, OfEachKindOfFloats) {
  const Model model = model_of(R"(  input %x : float32 [n, 8]
  value %w : float32 [8, 1] = {1, 2, 3, 4, 5, 6, 7, 8}
  %y = MatMul(%x, %w)
  output %y
)");
  const auto contents = input_contents(model);
  std::vector<std::vector<float>> made;
  for (std::size_t kind = 0; kind < kKindsOfNumbers; ++kind) {
    const Tensor x = (*made_inputs(model, contents, std::vector<std::int64_t>{40}, 1, kind))[0];
    std::vector<float>& numbers = made.emplace_back(320);
    read_floats(x, 0, 320, numbers.data());
  }
  EXPECT_THAT(made[0], testing::Each(FloatNear(0, 3)));
  EXPECT_THAT(made[1], testing::Each(FloatNear(0.5f, 0.5f)));
  for (std::size_t row = 0; row < 40; ++row) {
    EXPECT_EQ(std::ranges::count(made[2].begin() + 8 * static_cast<std::ptrdiff_t>(row),
                                 made[2].begin() + 8 * static_cast<std::ptrdiff_t>(row) + 8, 1.0f),
              1);
  }
  for (std::size_t kind = 3; kind < kKindsOfNumbers; ++kind)
    EXPECT_TRUE(std::ranges::any_of(made[kind], [](float x) { return std::abs(x) > 5; })) << kind;
}

}  // namespace
}  // namespace subbyte
