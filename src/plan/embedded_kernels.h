// Every file of kernels/ with its comments; the source is generated (CMakeLists.txt).
#pragma once

#include <string_view>
#include <vector>

namespace subbyte {

struct EmbeddedKernel {
  std::string_view name;
  std::string_view text;
};
std::vector<EmbeddedKernel> embedded_kernels();

}  // namespace subbyte
