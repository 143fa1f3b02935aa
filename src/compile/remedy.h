// What would help a model that its precision ruins.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "emit/check.h"
#include "quantize/weight_plan.h"

namespace subbyte {

// A phrase: the first precision wider than `precision`, rounded to nearest, with which no output is
// ruined, what it loses of `output`, and its size. Calibrating each to know would take as long
// again; where that is on (`calibrated`) it is said that it was not done. `not_cancelled` is asked
// after each run.
Expected<std::string> remedy_of(const Model& model, const Checker& checker,
                                std::string_view precision, bool calibrated,
                                const std::string& output,
                                const std::function<Expected<void>()>& not_cancelled);

// All weights of a plan, for Checker::compare().
std::vector<StoredWeight> stored_of(const WeightPlan& plan);

}  // namespace subbyte
