// What is in a converted module, as data.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace subbyte {

// What a run takes at certain sizes.
struct RunFacts {
  // Of the dimensions that are open, by name, and of what else the sizes depend on.
  std::vector<std::pair<std::string, std::int64_t>> sizes;
  std::int64_t dispatches = 0;
  // Bytes of the tensors that live at the same time, where most do: what arenas take at least.
  std::int64_t tensor_bytes = 0;
};

// nlohmann's destructor needs memory for values of many levels; a manifest has few.
// NOLINTNEXTLINE(bugprone-exception-escape)
struct ModuleFacts {
  nlohmann::ordered_json manifest;
  std::optional<RunFacts> run;  // none where the module itself is not beside its manifest
};

// Of a module or its manifest. Sizes are those of `dims`, else those that the runtime takes for
// likely (runtime/src/warm.ts). Errors: files that are damaged or of a later version, and a name in
// `dims` that no open dimension has.
Expected<ModuleFacts> describe_module(FileSystem& files, const std::string& path,
                                      std::span<const std::pair<std::string, std::int64_t>> dims);

}  // namespace subbyte
