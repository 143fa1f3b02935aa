// Between several choices of widths, the one that calibration leaves least errors of.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "compile/choose_widths.h"

namespace subbyte {

struct BestPlan {
  WeightPlan widths;  // as it was among the plans
  TriedPlan calibrated;
};

// `plans` are one or more for the model, those thought better first, and `calibrate` is
// fit_weights() on samples whose held-out ones are of those kinds. The first is taken where no
// other leaves less (fit/decision.h), or nothing was calibrated.
Expected<BestPlan> best_calibrated(
    const Model& model, std::span<const WeightPlan> plans, std::span<const std::size_t> kinds,
    const std::function<Expected<FitReport>(Model&, WeightPlan&)>& calibrate);

}  // namespace subbyte
