// The width of each weight, chosen by running the model.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "compile/compile.h"
#include "quantize/allocate/mix.h"
#include "quantize/weight_plan.h"
#include "samples/made_samples.h"

namespace subbyte {

// Bytes and numbers of all weights of the module, padding and what lowering adds counted.
struct StoredTotals {
  std::int64_t bytes = 0, numbers = 0;
};

// What the choosing needs of the conversion around it.
struct WidthSurroundings {
  const SampleSet* samples = nullptr;  // nullptr: nothing can be run, for the reason
  std::string reason{};
  Effort effort = Effort::good;
  bool adds_biases = true;  // calibration may
  Checkpoint checkpoint{};
  Observer* observer = nullptr;
  // Keeps the mix that is measured, where a report tells of it.
  std::optional<allocate::Mix>* measured = nullptr;
};

// The widths of `plan`, by component until then, chosen in as many bytes as it takes, as they lose
// least; as they are where nothing can be measured, or where no mix is better. Of models of which
// calibration may choose between two (may_calibrate_two()) also the plan that loses least but for
// the first.
Expected<std::vector<WeightPlan>> choose_mixed(const Model& model, WeightPlan plan,
                                               const WidthSurroundings& around);

// Of a plan for 8, 4, 3 or 2 bits: which weights stay wider (allocate/widen_measured.h).
Expected<std::vector<WeightPlan>> choose_wider(const Model& model, WeightPlan plan,
                                               Precision precision,
                                               const WidthSurroundings& around);

// The same for goal.bytes or goal.bits. An error where no widths take so few.
Expected<std::vector<WeightPlan>> choose_for_size(const Model& model, const WeightPlan& plan,
                                                  const WidthGoal& goal,
                                                  const WidthSurroundings& around);

// A plan that was tried, with all that calibration made of it.
struct TriedPlan {
  Model model;
  WeightPlan plan;
  double lost = 0;  // as is judged, by running it
  std::optional<FitReport> fit{};
};

// For goal.loss: the smallest that was found, bytes halved between the least and the most that are
// possible on held-out samples, then calibrated and judged by `finish`, which decides. An error
// where even the widest lose more.
Expected<TriedPlan> choose_for_loss(const Model& model, const WeightPlan& plan,
                                    const LossGoal& goal, const WidthSurroundings& around,
                                    const std::function<Expected<TriedPlan>(WeightPlan)>& finish);

// What the outputs lose (allocate/loss.h) by each matrix alone as the plan stores it; nullopt for
// all else, and for all where nothing can be measured.
Expected<std::vector<std::optional<double>>> matrix_losses(const Model& model,
                                                           const WeightPlan& plan,
                                                           const WidthSurroundings& around);

// Which measure fits, or the error of one that the outputs have not.
Expected<LossMeasure> fitting_measure(const Model& model, const LossGoal& goal);
// What the outputs with one of the plans are beside the exact ones, without their names.
Check check_of(const Model& model, const allocate::ComparedOutputs& outputs, std::size_t plan);
// Of the output that loses most.
double lost_of(const Check& check, LossMeasure measure);

}  // namespace subbyte
