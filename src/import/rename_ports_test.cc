#include "import/rename_ports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/text.h"

namespace subbyte {
namespace {

using Renames = std::vector<std::pair<std::string, std::string>>;

Model parsed() {
  auto model = parse_model(
      "model \"m\"\ngraph \"main\" {\n"
      "  input %x0 : float32 [n]\n"
      "  input %x1 : float32 [n]\n"
      "  %inner = Foo(%x0, %x1)\n"
      "  %y0 = Bar(%inner)\n"
      "  output %y0\n"
      "  output %x1\n}\n");
  EXPECT_TRUE(model) << model.error().message;
  return std::move(*model);
}

std::string error_of(const Renames& renames) {
  Model model = parsed();
  const auto done = rename_ports(model, renames);
  return done ? "none" : done.error().message;
}

std::vector<std::string> names(const Model& model, const std::vector<ValueId>& values) {
  std::vector<std::string> list;
  for (const ValueId v : values) list.push_back(model.main().values[v].name);
  return list;
}

TEST(RenamePorts, InputsAndOutputsTakeTheirNewNames) {
  Model model = parsed();
  ASSERT_TRUE(rename_ports(model, {{"x0", "image"}, {"y0", "scores"}, {"x1", "state"}}));
  EXPECT_THAT(names(model, model.main().inputs), testing::ElementsAre("image", "state"));
  EXPECT_THAT(names(model, model.main().outputs), testing::ElementsAre("scores", "state"));
  EXPECT_TRUE(verify(model));
}

TEST(RenamePorts, TwoMaySwapTheirNames) {
  Model model = parsed();
  ASSERT_TRUE(rename_ports(model, {{"x0", "x1"}, {"x1", "x0"}}));
  EXPECT_THAT(names(model, model.main().inputs), testing::ElementsAre("x1", "x0"));
}

TEST(RenamePorts, SaysWhatIsWrong) {
  EXPECT_EQ(error_of({{"x2", "image"}}),
            "--rename 'x2': 'm' has no such input or output (did you mean 'x0'?); its inputs are "
            "'x0', 'x1', its outputs 'y0', 'x1'");
  EXPECT_EQ(error_of({{"inner", "image"}}),
            "--rename 'inner': 'm' has no such input or output; its inputs are 'x0', 'x1', its "
            "outputs 'y0', 'x1'");
  EXPECT_EQ(error_of({{"x0", "y0"}}),
            "--rename: 'm' has a value 'y0' already; choose another name");
  EXPECT_EQ(error_of({{"x0", "inner"}}),
            "--rename: 'm' has a value 'inner' already; choose another name");
  EXPECT_EQ(error_of({{"x0", "a"}, {"y0", "a"}}),
            "--rename y0=a: another input or output is given that name too");
}

}  // namespace
}  // namespace subbyte
