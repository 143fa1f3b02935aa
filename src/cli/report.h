// Reports: one page that holds its data, and needs nothing else.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace subbyte {

// Fails where a file stands at `path` that is no report of subbyte's.
Expected<void> check_replaceable_report(FileSystem& files, const std::string& path);

Expected<void> write_report(FileSystem& files, const std::string& path,
                            const nlohmann::ordered_json& data);

}  // namespace subbyte
