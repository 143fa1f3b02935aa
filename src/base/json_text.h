// JSON that a user wrote.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "base/error.h"

namespace subbyte {

// The value, the keys of objects in their order. Errors say the line and the column, or the key
// that an object has twice, or that it is nested too deep.
Expected<nlohmann::ordered_json> parse_json(std::string_view text);

}  // namespace subbyte
