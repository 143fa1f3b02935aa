// The widths of a plan as a mixed-precision file (quantize/mixed.h).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/file.h"
#include "graph/graph.h"
#include "quantize/weight_plan.h"

namespace subbyte {

// An entry for each matrix that is stored narrower than float32, with its group size and zero
// points, and what was measured to be lost by it alone (one for each use). `precision` is that of
// all else.
std::string precision_file(const Model& model, const WeightPlan& plan, std::string_view precision,
                           std::span<const std::optional<double>> losses);

// Whether these are the bytes of such a file, so that it may be replaced.
bool is_precision_file(Bytes bytes);

}  // namespace subbyte
