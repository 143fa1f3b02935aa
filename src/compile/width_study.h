// What widths cost: how much each weight loses at each, and what whole models lose for their bytes.
#pragma once

#include <optional>

#include "compile/choose_widths.h"
#include "compile/study.h"

namespace subbyte {

// Fills in `study.widths`, or why it is not there: there is nothing to run, or it takes more work
// than the effort allows. Of a model in standard operators; `plan` is what widths were chosen for,
// `chosen` what became of it, `measured` the mix that was measured on the way, if one was.
Expected<void> study_widths(const Model& model, const WeightPlan& plan, const WeightPlan& chosen,
                            const std::optional<allocate::Mix>& measured,
                            const WidthSurroundings& around, Study& study);

}  // namespace subbyte
