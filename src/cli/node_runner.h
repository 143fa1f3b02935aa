// A converted module, run for real: by Node, through the npm package `webgpu`.
#pragma once

#include <string>

#include "compile/evaluate.h"

namespace subbyte {

// Runs `module` in a process of its own, `node` of the PATH. Inputs and outputs go through a folder
// of temporary files. Errors: no Node, no `webgpu` where the program was started or beside the
// module, no adapter, and whatever the module says.
ModuleRunner node_runner(std::string module);

}  // namespace subbyte
