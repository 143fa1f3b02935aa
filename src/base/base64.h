// Base64 (RFC 4648, section 4), with padding.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace subbyte {

std::string base64_of(Bytes bytes);
// Nothing where the text is not what base64_of() writes.
std::optional<std::vector<std::byte>> from_base64(std::string_view text);

}  // namespace subbyte
