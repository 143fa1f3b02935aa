// The numbers that spellings make: waves, draws, and what sequences hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "graph/text.h"
#include "passes/passes.h"
#include "passes/spell/draw.h"
#include "passes/spell/turn.h"

namespace subbyte {
namespace {

using testing::HasSubstr;

// The nodes of the main graph after the standard passes, or the error.
std::string standard(std::string_view graph, int opset = 18) {
  auto model =
      parse_model(fmt::format("model \"m\" opset {}\ngraph \"main\" {{\n{}}}\n", opset, graph));
  if (!model) return model.error().message;
  if (auto done = check_supported(*model); !done) return done.error().message;
  if (auto done = run_passes(*model, standard_passes()); !done) return done.error().message;
  std::string nodes;
  for (const Node& node : model->main().nodes) {
    if (!nodes.empty()) nodes += " ";
    nodes += node.op_type;
  }
  return nodes;
}

TEST(Spell, DirectionsAreExactToTheLastPlaces) {
  for (const std::int64_t whole : {1, 2, 3, 4, 7, 8, 400, 512, 1023}) {
    for (std::int64_t part = -whole; part < 2 * whole; ++part) {
      const double angle =
          2 * std::numbers::pi * static_cast<double>(part) / static_cast<double>(whole);
      const Direction d = direction_of(part, whole);
      EXPECT_NEAR(d.cosine, std::cos(angle), 3e-15) << part << " of " << whole;
      EXPECT_NEAR(d.sine, std::sin(angle), 3e-15) << part << " of " << whole;
    }
  }
  EXPECT_EQ(direction_of(1, 4).cosine, 0);
  EXPECT_EQ(direction_of(3, 6).cosine, -1);
}

TEST(Spell, DrawsAreThoseOfTheirSeed) {
  EXPECT_EQ(drawn_uniform(1, 0), drawn_uniform(1, 0));
  EXPECT_NE(drawn_uniform(1, 0), drawn_uniform(2, 0));
  double sum = 0, squares = 0, uniform = 0;
  constexpr int kCount = 20000;
  for (int i = 0; i < kCount; ++i) {
    const double normal = drawn_normal(5, static_cast<std::uint64_t>(i));
    const double flat = drawn_uniform(5, static_cast<std::uint64_t>(i));
    EXPECT_GE(flat, 0);
    EXPECT_LT(flat, 1);
    sum += normal;
    squares += normal * normal;
    uniform += flat;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.03);
  EXPECT_NEAR(squares / kCount, 1, 0.03);
  EXPECT_NEAR(uniform / kCount, 0.5, 0.01);
}

TEST(Spell, RandomNumbersThatDoNotMatterAreNotDrawn) {
  const auto dropped = [](std::string_view reader) {
    return standard(fmt::format(R"(  input %x : float32 [N, 3]
  value %zero : float32 [] = {{0}}
  value %half : float32 [] = {{0.5}}
  %r = RandomUniformLike(%x)
  {}
  output %y
)",
                                reader));
  };
  EXPECT_THAT(dropped("%n = Mul(%r, %zero)\n  %y = Add(%x, %n)"),
              testing::Not(HasSubstr("Random")));
  EXPECT_THAT(dropped("%y = Greater(%r, %zero)"), testing::Not(HasSubstr("Random")));
  constexpr std::string_view kNoSeed =
      "it draws random numbers that its readers need, and has no seed";
  EXPECT_THAT(dropped("%y = Greater(%r, %half)"), HasSubstr(kNoSeed));
  EXPECT_THAT(dropped("%n = Mul(%r, %half)\n  %y = Add(%x, %n)"), HasSubstr(kNoSeed));
}

TEST(Spell, RandomNumbersOfASeedAreConstants) {
  EXPECT_EQ(standard(R"(  input %x : float32 [2, 3]
  %r = RandomNormalLike(%x) {seed = 3f}
  %y = Add(%x, %r)
  output %y
)"),
            "Add");
  EXPECT_THAT(standard(R"(  input %x : float32 [N, 3]
  %r = RandomNormalLike(%x) {seed = 3f}
  %y = Add(%x, %r)
  output %y
)"),
              HasSubstr("it has a seed and sizes that are not known when converting"));
}

TEST(Spell, SequencesAreResolved) {
  EXPECT_EQ(standard(R"(  input %x : float32 [2, 3]
  input %z : float32 [2, 4]
  value %one : int64 [] = {1}
  value %two : int64 [] = {2}
  %s = SequenceConstruct(%x, %z)
  %t = SequenceInsert(%s, %x, %one)
  %u = SequenceErase(%t, %two)
  %o = Optional(%u)
  %p = OptionalGetElement(%o)
  %y = ConcatFromSequence(%p) {axis = 1}
  %w = SequenceAt(%t, %one)
  output %y
  output %w
)"),
            "Concat Identity");
  EXPECT_EQ(standard(R"(  input %x : float32 [5, 3]
  value %two : int64 [] = {2}
  %s = SplitToSequence(%x, %two)
  %n = SequenceLength(%s)
  %y = ConcatFromSequence(%s) {axis = 0}
  output %y
  output %n
)"),
            "Split Concat");
  EXPECT_THAT(standard(R"(  input %x : float32 [5, 3]
  input %i : int64 []
  %s = SequenceConstruct(%x, %x)
  %y = SequenceAt(%s, %i)
  output %y
)"),
              HasSubstr("the place in its sequence is not known when converting"));
}

// What a definition gives is no weight, also where folding has gone over it.
TEST(Spell, WavesAreNoWeights) {
  auto model = parse_model(R"(model "m" opset 18
graph "main" {
  input %x : float32 [1, 32, 1]
  value %eight : int64 [] = {8}
  value %four : int64 [] = {4}
  %w = HannWindow(%eight)
  %y = STFT(%x, %four, %w, %eight)
  output %y
}
)");
  ASSERT_TRUE(model) << model.error().message;
  const auto done = run_passes(*model, standard_passes());
  ASSERT_TRUE(done) << done.error().message;
  int tables = 0;
  for (const Value& value : model->main().values) {
    if (!value.constant || !is_float(value.dtype)) continue;
    EXPECT_TRUE(value.is_defined) << value.name;
    ++tables;
  }
  EXPECT_EQ(tables, 1);
}

}  // namespace
}  // namespace subbyte
