#include "import/fix_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/text.h"

namespace subbyte {
namespace {

Model parsed() {
  auto model = parse_model(
      "model \"m\"\ngraph \"main\" {\n"
      "  input %flag : bool [1]\n"
      "  input %x : float32 [batch, n]\n"
      "  input %rates : int64 [3]\n"
      "  input %y : float32 [n, batch]\n"
      "  %z = Foo(%flag, %x, %rates, %y)\n"
      "  output %z\n}\n");
  EXPECT_TRUE(model) << model.error().message;
  return std::move(*model);
}

std::string error_of(const Fixed& fixed) {
  Model model = parsed();
  const auto done = fix_inputs(model, fixed);
  return done ? "none" : done.error().message;
}

TEST(FixInputs, InputsBecomeConstantsAndSymbolsKeepTheirInputs) {
  Model model = parsed();
  ASSERT_TRUE(fix_inputs(model, {{{"flag", "true"}, {"rates", "8,-16,48"}}, {{"batch", 2}}}));
  const Graph& graph = model.main();
  ASSERT_EQ(graph.inputs.size(), 2u);
  EXPECT_EQ(graph.values[graph.inputs[0]].name, "x");
  EXPECT_EQ(model.exprs.value((*graph.values[graph.inputs[0]].shape)[0]), 2);
  ASSERT_EQ(model.exprs.symbols().size(), 1u);
  EXPECT_EQ(model.exprs.symbols()[0].name, "n");
  EXPECT_EQ(model.exprs.symbols()[0].source.input, 0u);
  EXPECT_EQ(model.exprs.symbols()[0].source.index, 1u);
  EXPECT_EQ(integer_values(*graph.values[0].constant), std::vector<std::int64_t>{1});
  EXPECT_EQ(integer_values(*graph.values[2].constant), (std::vector<std::int64_t>{8, -16, 48}));
  EXPECT_TRUE(verify(model));
}

TEST(FixInputs, OneValueIsForAllElements) {
  Model model = parsed();
  ASSERT_TRUE(fix_inputs(model, {{{"x", "0.5"}}, {{"batch", 1}, {"n", 3}}}));
  std::vector<float> values(3);
  read_floats(*model.main().values[1].constant, 0, 3, values.data());
  EXPECT_THAT(values, testing::Each(0.5F));
}

TEST(FixInputs, SaysWhatIsWrong) {
  EXPECT_EQ(error_of({{{"flagg", "1"}}, {}}),
            "--input 'flagg': 'm' has no such input (did you mean 'flag'?); there are 'flag', 'x', "
            "'rates', 'y'");
  EXPECT_EQ(error_of({{}, {{"m", 1}}}),
            "--dim 'm': 'm' has no such dimension of an input; there are 'batch', 'n'");
  EXPECT_EQ(error_of({{{"flag", "2"}}, {}}), "--input 'flag': '2' is no bool, which the input is");
  EXPECT_EQ(error_of({{{"rates", "1,2"}}, {}}),
            "--input 'rates': 2 values are given and it has 3; give one for all of them, or as "
            "many with commas");
  EXPECT_EQ(error_of({{{"rates", "1.5"}}, {}}),
            "--input 'rates': '1.5' is no int64, which the input is");
  EXPECT_EQ(error_of({{{"x", "1"}}, {{"n", 2}}}),
            "--input 'x': its dimension 'batch' is open, so that its values cannot be said; fix it "
            "with --dim first");
}

}  // namespace
}  // namespace subbyte
