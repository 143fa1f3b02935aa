// Golden tests: folder tests/golden/FOLDER holds NAME.in.txt and what is expected of it,
// NAME.out.txt. With SUBBYTE_GOLDEN=update in the environment the expected texts are written anew,
// to be reviewed as a diff. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace subbyte {

class GoldenFolder {
 public:
  explicit GoldenFolder(const char* folder)
      : path_(std::filesystem::path(SUBBYTE_SOURCE_DIR) / "tests" / "golden" / folder) {}

  // The names of the cases, sorted.
  std::vector<std::string> names() const {
    constexpr std::string_view kEnd = ".in.txt";
    std::vector<std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(kEnd)) result.push_back(name.substr(0, name.size() - kEnd.size()));
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  std::string input(const std::string& name) const { return read(path_ / (name + ".in.txt")); }

  void expect(const std::string& name, const std::string& result) const {
    const auto expected = path_ / (name + ".out.txt");
    const char* mode = std::getenv("SUBBYTE_GOLDEN");
    if (mode != nullptr && std::string_view(mode) == "update") {
      std::ofstream(expected, std::ios::binary) << result;
      return;
    }
    EXPECT_EQ(result, read(expected));
  }

 private:
  static std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::filesystem::path path_;
};

// The name of a case as GoogleTest allows it: a dot is an underscore.
inline std::string golden_test_name(const testing::TestParamInfo<std::string>& test) {
  std::string name = test.param;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

}  // namespace subbyte
