// Runs each tests/golden/infer/NAME.in.txt through infer() and compares with NAME.out.txt: the
// model with shapes and contents, or the whole error. SUBBYTE_GOLDEN=update writes the outputs
// anew.
#include "base/golden.h"

#include <gtest/gtest.h>

#include "graph/infer.h"
#include "graph/text.h"

namespace subbyte {
namespace {

const GoldenFolder kFolder("infer");

std::string inferred(const std::string& text) {
  auto model = parse_model(text);
  if (!model) return "parse error: " + model.error().message + "\n";
  if (auto done = verify(*model); !done) return "verify error: " + done.error().message + "\n";
  if (auto done = infer(*model); !done) return "error: " + done.error().message + "\n";
  if (auto done = verify(*model); !done) return "verify error: " + done.error().message + "\n";
  const std::string result = to_text(*model, true);

  // The text reads back as itself, and a second inference changes nothing.
  auto again = parse_model(result);
  EXPECT_TRUE(again) << again.error().message;
  if (!again) return result;
  EXPECT_EQ(to_text(*again, true), result);
  EXPECT_TRUE(infer(*again));
  EXPECT_EQ(to_text(*again, true), result);
  EXPECT_TRUE(infer(*model));
  EXPECT_EQ(to_text(*model, true), result);
  return result;
}

class InferGoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(InferGoldenTest, Matches) {
  kFolder.expect(GetParam(), inferred(kFolder.input(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(All, InferGoldenTest, testing::ValuesIn(kFolder.names()),
                         golden_test_name);

}  // namespace
}  // namespace subbyte
