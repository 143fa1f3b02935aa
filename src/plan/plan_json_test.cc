#include "plan/plan_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "graph/infer.h"
#include "graph/text.h"
#include "plan/lower.h"

namespace subbyte {
namespace {

using Json = nlohmann::ordered_json;

struct Lowered {
  Model model;
  Plan plan;
};

// Neg of `x`, and as a second output the constant `values`.
Expected<Lowered> lowered(const std::string& values) {
  auto model = parse_model(
      "model \"m\"\ngraph \"main\" {\n"
      "  input %x : float32 [n]\n"
      "  value %c : int64 [3] = {" +
      values +
      "}\n"
      "  %y = Neg(%x)\n"
      "  output %y\n  output %c\n}\n");
  if (!model) return fail("{}", model.error().message);
  SUBBYTE_CHECK_OK(infer(*model));
  SUBBYTE_TRY(Plan plan, lower(*model, {}));
  return Lowered{std::move(*model), std::move(plan)};
}

TEST(PlanJson, TheWidthOfAWordIsLeftOut) {
  auto made = lowered("1, 2, 3");
  ASSERT_TRUE(made) << made.error().message;
  made->plan.tensors[1].width = 2;
  const Json tensors = plan_json(made->model, made->plan, {})["tensors"];
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_FALSE(tensors[0].contains("width"));
  EXPECT_EQ(tensors[1]["width"], 2);
  EXPECT_EQ(tensors[1]["count"], tensors[0]["count"]);
}

TEST(PlanJson, ConstantsThatDoublesDoNotHoldAreTheirDigits) {
  const auto made = lowered("9007199254740993, -9007199254740992, -9007199254740991");
  ASSERT_TRUE(made) << made.error().message;
  const Json plan = plan_json(made->model, made->plan, {});
  const Json& content = plan["outputs"][1]["content"];
  ASSERT_EQ(content.size(), 3u);
  EXPECT_EQ(content[0], "9007199254740993");
  EXPECT_EQ(content[1], "-9007199254740992");
  EXPECT_EQ(plan["exprs"][content[2].get<std::size_t>()], -9007199254740991);
}

}  // namespace
}  // namespace subbyte
