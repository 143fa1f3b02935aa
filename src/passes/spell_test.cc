#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/text.h"
#include "passes/passes.h"
#include "passes/spell/einsum_equation.h"

namespace subbyte {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The nodes of the main graph in canonical form, or the error.
std::string spelled(std::string_view graph, int opset = 18) {
  auto model =
      parse_model(fmt::format("model \"m\" opset {}\ngraph \"main\" {{\n{}}}\n", opset, graph));
  if (!model) return model.error().message;
  if (auto done = canonicalize(*model); !done) return done.error().message;
  if (auto done = verify(*model); !done) return done.error().message;
  std::string nodes;
  for (const Node& node : model->main().nodes) {
    if (!nodes.empty()) nodes += " ";
    nodes += node.op_type;
  }
  return nodes;
}

TEST(Spell, EinsumIsOneProductWhereItCanBe) {
  const auto nodes = [](std::string_view equation) {
    return spelled(fmt::format(R"(  input %a : float32 [B, 3, 4]
  input %b : float32 [B, 4, 5]
  %y = Einsum(%a, %b) {{equation = "{}"}}
  output %y
)",
                               equation));
  };
  EXPECT_EQ(nodes("bij,bjk->bik"), "MatMul Identity");
  EXPECT_EQ(nodes("bij,bjk->bki"), "MatMul Transpose Identity");
  EXPECT_EQ(nodes("...ij , ...jk"), "MatMul Identity");
  EXPECT_EQ(nodes("bij,bkl->bijkl"), "Unsqueeze Unsqueeze Mul Identity");
  EXPECT_EQ(nodes("bij,bkl->b"), "ReduceSum ReduceSum Mul Identity");
}

TEST(Spell, EinsumSaysWhatIsWrong) {
  const auto error = [](std::string_view equation, std::vector<std::size_t> ranks) {
    const auto parsed = parse_einsum(equation, ranks);
    return parsed ? "no error" : parsed.error().message;
  };
  EXPECT_EQ(error("ij,jk->ik", {2, 2}), "no error");
  EXPECT_EQ(error("ij->ij", {2, 2}), "its equation 'ij->ij' has 1 terms and the node 2 inputs");
  EXPECT_EQ(error("i1->i", {2}), "its term 'i1' is not of letters and at most one '...'");
  EXPECT_EQ(error("...i...", {2}), "its term '...i...' is not of letters and at most one '...'");
  EXPECT_EQ(error("ijk", {2}), "its term 'ijk' does not fit input 0, which has rank 2");
  EXPECT_EQ(error("i", {2}), "its term 'i' does not fit input 0, which has rank 2");
  EXPECT_EQ(error("ij->k", {2}),
            "the result of its equation 'ij->k' must name letters of its terms, each once");
  EXPECT_EQ(error("ij->ii", {2}),
            "the result of its equation 'ij->ii' must name letters of its terms, each once");
}

TEST(Spell, AnEllipsisStandsForTheLastAxesOfAll) {
  const std::size_t ranks[] = {4, 1};
  const auto parsed = parse_einsum("a...b,...", ranks);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_THAT(parsed->operands, ElementsAre(ElementsAre('a', 0, 1, 'b'), ElementsAre(1)));
  EXPECT_THAT(parsed->result, ElementsAre(0, 1, 'a', 'b'));
}

TEST(Spell, SizesThatDoNotFitAreNamedWithTheNode) {
  EXPECT_THAT(spelled(R"(  input %a : float32 [2, 3]
  input %b : float32 [4, 5]
  %y = Einsum(%a, %b) {equation = "ij,jk->ik"} "e"
  output %y
)"),
              HasSubstr("node 'e' (Einsum): it multiplies shapes [2, 3] and [4, 5]"));
}

// What follows a node that is spelled out knows its rank, also in forms of older opsets.
TEST(Spell, ShapesOfWhatIsSpelledAreKnown) {
  EXPECT_EQ(spelled(R"(  input %a : float32 [2, 3]
  %b = Einsum(%a) {equation = "ij->ji"}
  %y = Softmax(%b) {axis = 1}
  output %y
)",
                    12),
            "Transpose Identity Softmax");
}

TEST(Spell, AnOutputThatIsNotComputedIsNotRead) {
  EXPECT_EQ(
      spelled(R"(  input %x : float32 [2, 3]
  input %s : float32 [3]
  %y, %m, %d = "com.microsoft"::"SkipLayerNormalization"(%x, %x, %s)
  output %d
)"),
      "node 0 (SkipLayerNormalization): its output 2 is read, which subbyte does not compute");
}

}  // namespace
}  // namespace subbyte
