// Golden tests: folder tests/golden/FOLDER holds NAME.in.txt and what is expected of it,
// NAME.out.txt. With SUBBYTE_GOLDEN=update in the environment the expected texts are written anew,
// to be reviewed as a diff. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace subbyte {

class GoldenFolder {
 public:
  explicit GoldenFolder(const char* folder);

  // The names of the cases, sorted.
  std::vector<std::string> names() const;
  std::string input(const std::string& name) const;
  void expect(const std::string& name, const std::string& result) const;

 private:
  std::string path_;
};

// The name of a case as GoogleTest allows it: a dot is an underscore.
std::string golden_test_name(const testing::TestParamInfo<std::string>& test);

}  // namespace subbyte
