// What does not depend on a run is computed when the module is loaded.
#pragma once

#include "graph/expr.h"
#include "plan/plan.h"

namespace subbyte {

// Marks, and puts before all others, the steps that read nothing but weights and what such steps
// have written, at sizes that are known: tables of positions, masks, weights in another layout.
// Their tensors stay in memory, so that only so many are marked as take no more than 128 MB; a
// larger one is computed in each run, in memory that others share. So are outputs, which whoever
// gets them may keep.
void put_once_steps_first(const ExprPool& exprs, Plan& plan);

}  // namespace subbyte
