// The version that modules and manifests carry.
#pragma once

#include <string_view>

namespace subbyte {

inline constexpr std::string_view kVersion = SUBBYTE_VERSION;

}  // namespace subbyte
