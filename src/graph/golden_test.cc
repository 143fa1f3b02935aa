// Runs each tests/golden/infer/NAME.in.txt through infer() and compares with NAME.out.txt: the
// model with shapes and contents, or the whole error. SUBBYTE_GOLDEN=update writes the outputs
// anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "graph/infer.h"
#include "graph/text.h"

namespace subbyte {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(SUBBYTE_SOURCE_DIR) / "tests" / "golden" / "infer";

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

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

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    const std::string name = entry.path().filename().string();
    const std::string end = ".in.txt";
    if (name.ends_with(end)) result.push_back(name.substr(0, name.size() - end.size()));
  }
  std::sort(result.begin(), result.end());
  return result;
}

class InferGoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(InferGoldenTest, Matches) {
  const std::string result = inferred(read(kFolder / (GetParam() + ".in.txt")));
  const fs::path expected = kFolder / (GetParam() + ".out.txt");
  const char* mode = std::getenv("SUBBYTE_GOLDEN");
  if (mode != nullptr && std::string_view(mode) == "update") {
    std::ofstream(expected, std::ios::binary) << result;
    return;
  }
  EXPECT_EQ(result, read(expected));
}

INSTANTIATE_TEST_SUITE_P(All, InferGoldenTest, testing::ValuesIn(names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace subbyte
