// NAME.webgpu.js: the runtime, the plan, and where the weights are.
#pragma once

#include <string>
#include <vector>

#include "emit/weights_file.h"
#include "graph/graph.h"
#include "plan/plan.h"

namespace subbyte {

// The first line of every module, by which one is known again.
inline constexpr std::string_view kModuleMark = "// Made by subbyte ";
inline constexpr std::string_view kTypesMark = "// Types of a module made by subbyte ";

// `inline_base64`: the files of weights themselves, for --single-file; empty where they stand
// beside the module.
std::string module_text(const Model& model, const Plan& plan, const PackedWeights& weights,
                        const std::vector<std::string>& inline_base64);

}  // namespace subbyte
