// What convert and quantize have in common.
#pragma once

#include <memory>
#include <string>

#include "base/checkpoint.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/made_folders.h"
#include "cli/verbs.h"
#include "compile/compile.h"

namespace subbyte {

// The precision that is meant where --precision may not be given: "mixed" for widths chosen by
// measuring, what the mixed-precision file says, else 8bit.
std::string meant_precision(FileSystem& files, const ConvertOptions& options);

// Fails where options contradict each other, as far as they are of both verbs.
Expected<void> check_choosing(const ConvertOptions& options);

Expected<CompileOptions> compile_options(FileSystem& files, const ConvertOptions& options);

// Where --checkpoint keeps things; null where it is not given. Makes the folder if it is missing.
Expected<std::unique_ptr<CheckpointStore>> open_checkpoint(FileSystem& files,
                                                           const std::string& folder,
                                                           MadeFolders& made);

// Whether --calibration names samples of the user's.
bool gives_samples(const ConvertOptions& options);
// Fails where --log-file would replace what is no log, unless `force`.
Expected<void> check_replaceable_log(FileSystem& files, const std::string& path, bool force);

}  // namespace subbyte
