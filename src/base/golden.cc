#include "base/golden.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace subbyte {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

GoldenFolder::GoldenFolder(const char* folder)
    : path_(std::string(SUBBYTE_SOURCE_DIR) + "/tests/golden/" + folder + "/") {}

std::vector<std::string> GoldenFolder::names() const {
  constexpr std::string_view kEnd = ".in.txt";
  std::vector<std::string> result;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(kEnd)) result.push_back(name.substr(0, name.size() - kEnd.size()));
  }
  std::sort(result.begin(), result.end());
  return result;
}

std::string GoldenFolder::input(const std::string& name) const {
  return read(path_ + name + ".in.txt");
}

void GoldenFolder::expect(const std::string& name, const std::string& result) const {
  const std::string expected = path_ + name + ".out.txt";
  const char* mode = std::getenv("SUBBYTE_GOLDEN");
  if (mode != nullptr && std::string_view(mode) == "update") {
    std::ofstream(expected, std::ios::binary) << result;
    return;
  }
  EXPECT_EQ(result, read(expected));
}

std::string golden_test_name(const testing::TestParamInfo<std::string>& test) {
  std::string name = test.param;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

}  // namespace subbyte
