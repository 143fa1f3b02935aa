// The target WebGPU: a module with its weights, types and manifest.
#pragma once

#include <functional>
#include <string_view>

#include "base/error.h"
#include "compile/compile.h"
#include "emit/manifest.h"
#include "plan/plan.h"
#include "quantize/weight_plan.h"

namespace subbyte {

// Packs the weights of a plan and writes the files that `output` names. `facts` are what the
// manifest says of the source and of the check; the rest is found here. `begin` is told of each
// stage, and gives the error that ends the work where it is cancelled.
Expected<CompileResult> write_module_output(
    const Model& model, const Plan& plan, WeightPlan weights, ManifestFacts facts,
    const CompileOptions& options, const Output& output, Observer& observer,
    const std::function<Expected<void>(std::string_view stage)>& begin);

}  // namespace subbyte
