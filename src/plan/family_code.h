// The code that each family of graph/families.def has in plan.
#pragma once

#include "base/error.h"
#include "plan/evaluate.h"
#include "plan/lowering.h"

namespace subbyte {

struct FamilyCode {
  // An element of an output, computed where it is read; nullptr for anchors and for what no kernel
  // computes.
  Expected<Typed> (*element)(Evaluator& evaluator, const Element& at);
  // Appends the steps of one kernel; nullptr for all but anchors.
  Expected<void> (*lower)(Lowering& lowering, const Kernel& kernel);
};

const FamilyCode& family_code(Op op);

}  // namespace subbyte
