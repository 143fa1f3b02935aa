// Lowers each tests/golden/plan/NAME.in.txt and compares with NAME.out.txt: the plan, or the whole
// error. Weights are float32, or what a line "# precision 4bit" says. SUBBYTE_GOLDEN=update writes
// the outputs anew.
#include "base/golden.h"

#include <gtest/gtest.h>

#include "graph/infer.h"
#include "graph/text.h"
#include "passes/canonical_form.h"
#include "plan/lower.h"
#include "plan/test_weights.h"
#include "plan/text.h"

namespace subbyte {
namespace {

const GoldenFolder kFolder("plan");

std::map<ValueId, StoredWeight> stored_weights(const Model& model, std::string_view text) {
  constexpr std::string_view kMark = "# precision ";
  std::string_view name = "float32";
  if (const std::size_t at = text.find(kMark); at != std::string_view::npos) {
    name = text.substr(at + kMark.size(), text.find('\n', at) - at - kMark.size());
  }
  return weights_stored_at(model, name);
}

std::string lowered(const std::string& text) {
  auto model = parse_model(text);
  if (!model) return "parse error: " + model.error().message + "\n";
  if (auto done = infer(*model); !done) return "infer error: " + done.error().message + "\n";
  if (auto done = verify(*model); !done) return "verify error: " + done.error().message + "\n";
  if (auto done = check_canonical(*model); !done)
    return "not canonical: " + done.error().message + "\n";
  const auto plan = lower(*model, stored_weights(*model, text));
  return plan ? plan_text(*model, *plan) : "error: " + plan.error().message + "\n";
}

class PlanGoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(PlanGoldenTest, Matches) { kFolder.expect(GetParam(), lowered(kFolder.input(GetParam()))); }

INSTANTIATE_TEST_SUITE_P(All, PlanGoldenTest, testing::ValuesIn(kFolder.names()), golden_test_name);

}  // namespace
}  // namespace subbyte
