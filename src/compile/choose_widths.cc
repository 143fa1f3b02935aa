#include "compile/choose_widths.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "base/text.h"
#include "passes/passes.h"
#include "plan/lower.h"
#include "quantize/allocate/variants.h"
#include "quantize/allocate/widen_measured.h"
#include "quantize/fit/output_shift.h"
#include "samples/output_content.h"

namespace subbyte {
namespace {

using namespace allocate;

constexpr std::string_view kUniform[] = {"float16", "8bit", "4bit", "3bit", "2bit"};

// Whether the free matrices were asked for at that width.
bool is_of_width(const WeightPlan& plan, int bits) {
  for (std::size_t i = 0; i < plan.uses.size(); ++i) {
    if (!is_matrix(plan.uses[i].kind) || plan.named[i]) continue;
    const auto* affine = std::get_if<AffineEncoding>(&plan.as_asked[i].encoding);
    if (affine != nullptr && affine->bits == bits) return true;
  }
  return false;
}

// Whether a plan keeps to the bytes that are asked.
using Fits = std::function<Expected<bool>(const WeightPlan&)>;
Expected<bool> any_fits(const WeightPlan&) { return true; }

class Choosing {
 public:
  Choosing(const Model& model, const WidthSurroundings& around)
      : model_(model), around_(around), rounded_(model) {
    options_.effort = around.effort;
    options_.checkpoint = around.checkpoint;
    options_.running.cancelled = [&around] { return around.observer->cancelled(); };
    options_.progress = [&around](std::size_t done, std::size_t count) {
      around.observer->progress("measuring", done, count);
    };
  }

  Expected<Mix> measure(const WeightPlan& plan) {
    if (around_.samples == nullptr) return measure_mix(model_, plan, {}, 1, rounded_, options_);
    MeasureOptions measuring = options_;
    measuring.running.kinds = around_.samples->tuning_kinds;
    auto mix = measure_mix(model_, plan, around_.samples->tuning, around_.samples->work_each,
                           rounded_, measuring);
    if (mix && around_.measured != nullptr) *around_.measured = *mix;
    return mix;
  }

  // The indices of the plans, those that lose less on held-out samples first; as they are where
  // nothing can be run.
  Expected<std::vector<std::size_t>> ranked(std::span<const WeightPlan> plans) {
    std::vector<std::size_t> order(plans.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (plans.size() < 2 || held_out(plans.size()).empty()) return order;
    std::vector<const WeightPlan*> all;
    for (const WeightPlan& plan : plans) all.push_back(&plan);
    SUBBYTE_TRY(const auto losses,
                losses_of(model_, all, held_out(plans.size()), rounded_, judging(plans.size())));
    detail(
        fmt::format("widths: on held-out inputs the outputs lose {:.4g}", fmt::join(losses, ", ")));
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return losses[i]; });
    return order;
  }

  // What the outputs lose with a plan, by the measure; biases corrected, nothing else chosen.
  Expected<double> lost(const WeightPlan& plan, LossMeasure measure) {
    const WeightPlan* const plans[] = {&plan};
    SUBBYTE_TRY(const auto outputs, outputs_of(model_, plans, held_out(1), rounded_, judging(1)));
    return lost_of(check_of(model_, outputs, 0), measure);
  }

  // As many as the effort allows for that many runs beside the float model's.
  std::span<const Sample> held_out(std::size_t runs) const {
    if (around_.samples == nullptr) return {};
    const std::span<const Sample> all(around_.samples->held_out);
    return all.first(
        measured_samples(model_, all, around_.samples->work_each, 2 * runs + 2, around_.effort));
  }

  RunOptions judging(std::size_t runs) const {
    RunOptions options = options_.running;
    options.kinds = kinds_of(around_.samples->held_out_kinds, held_out(runs).size());
    return options;
  }

  // `plan` with one width for all matrices that no rule names: the widest that fit, as many as
  // `most`.
  Expected<std::vector<WeightPlan>> uniform_plans(const WeightPlan& plan, const Fits& fits,
                                                  std::size_t most) const {
    std::vector<WeightPlan> plans;
    for (const std::string_view name : kUniform) {
      SUBBYTE_TRY(const WeightPlan same, plan_weights(model_, policy_from_name(name).value()));
      WeightPlan uniform = plan;
      for (std::size_t i = 0; i < plan.uses.size(); ++i)
        if (is_matrix(plan.uses[i].kind) && !plan.named[i]) {
          store_as(model_, uniform, i, same.assignments[i]);
          uniform.as_asked[i] = same.as_asked[i];
        }
      SUBBYTE_TRY(const bool does, fits(uniform));
      if (does) plans.push_back(std::move(uniform));
      if (plans.size() == most) break;
    }
    return plans;
  }

  // One of them as its precision is stored: with those weights wider that lose most, where that is
  // better (choose_wider()). nullopt where nothing changes.
  Expected<std::optional<WeightPlan>> widened(const WeightPlan& uniform) const {
    std::optional<WeightPlan> plan;
    const auto narrowest = [&](std::string_view name) {
      const auto precision = precision_from_name(name);
      return precision && bits_of(*precision) <= 4 && is_of_width(uniform, bits_of(*precision));
    };
    const auto name = std::ranges::find_if(kUniform, narrowest);
    if (name == std::end(kUniform)) return plan;
    plan = uniform;
    SUBBYTE_TRY(const auto report, widen_measured(model_, *plan, *precision_from_name(*name),
                                                  *around_.samples, options_));
    if (!report.changed) plan.reset();
    return plan;
  }

  // The loss of each of these weights alone; nothing where there is too much to run.
  Expected<std::vector<double>> each(std::span<const StoredWeight> questions) {
    const std::span<const Sample> all(around_.samples->tuning);
    const std::size_t count =
        measured_samples(model_, all, around_.samples->work_each, questions.size(), around_.effort);
    if (count == 0) return std::vector<double>();
    MeasureOptions measuring = options_;
    measuring.running.kinds = kinds_of(around_.samples->tuning_kinds, count);
    return measure_each(model_, questions, all.first(count), rounded_, measuring);
  }

  const MeasureOptions& options() const { return options_; }
  void detail(const std::string& text) const {
    if (around_.observer->wants_details()) around_.observer->detail(text);
  }
  void note(const std::string& text) const { around_.observer->note(text); }

 private:
  const Model& model_;
  const WidthSurroundings& around_;
  RoundedWeights rounded_;
  MeasureOptions options_;
};

// The best of these and of those with one width for all that fit, and of models of which
// calibration may choose between two the next.
Expected<std::vector<WeightPlan>> best_of(Choosing& choosing, std::vector<WeightPlan> plans,
                                          const Fits& fits, const WidthSurroundings& around) {
  const bool two = around.samples != nullptr && may_calibrate_two(plans.front(), around.effort);
  SUBBYTE_TRY(auto uniform, choosing.uniform_plans(plans.front(), fits, 2));
  if (two && !uniform.empty()) {
    SUBBYTE_TRY(auto widened, choosing.widened(uniform.front()));
    if (widened) {
      SUBBYTE_TRY(const bool does, fits(*widened));
      if (does) plans.push_back(std::move(*widened));
    }
  }
  std::ranges::move(uniform, std::back_inserter(plans));
  SUBBYTE_TRY(const auto order, choosing.ranked(plans));
  std::vector<WeightPlan> best;
  for (const std::size_t i : order) {
    WeightPlan& plan = plans[i];
    plan.broken.reset();
    // Nothing is wider than asked, for no width was.
    for (std::size_t u = 0; u < plan.uses.size(); ++u)
      if (is_matrix(plan.uses[u].kind) && value_bits(plan.assignments[u].encoding) < 32)
        plan.assignments[u].reason.clear();
    best.push_back(std::move(plan));
    if (best.size() == (two ? 2 : 1)) break;
  }
  return best;
}

// What the module would hold, with every bias that calibration may make.
Expected<StoredTotals> totals_of(const Model& model, const WidthSurroundings& around,
                                 const WeightPlan& weights) {
  Model copy = model;
  WeightPlan plan = weights;
  if (around.adds_biases) fit::store_shifts(copy, plan, fit::no_shifts(model.main(), plan.stored));
  SUBBYTE_CHECK_OK(run_passes(copy, fusion_passes()));
  SUBBYTE_TRY(const Plan lowered, lower(copy, plan.stored));
  StoredTotals totals;
  for (const StoredWeight& stored : lowered.weights) {
    totals.bytes = aligned(totals.bytes) + stored_bytes(stored);
    totals.numbers += stored.rows * stored.k;
  }
  return totals;
}

std::string size_text(const StoredTotals& totals) {
  return fmt::format("{} ({:.2f} bits a weight)", bytes_text(totals.bytes),
                     static_cast<double>(totals.bytes) * 8 /
                         static_cast<double>(std::max<std::int64_t>(totals.numbers, 1)));
}

std::string goal_text(const WidthGoal& goal) {
  return goal.bytes ? fmt::format("--target-size {}", bytes_text(*goal.bytes))
                    : fmt::format("--target-bits {}", *goal.bits);
}

void note_unmeasured(const Choosing& choosing, const Mix& mix, const WidthSurroundings& around,
                     std::string_view instead) {
  if (mix.samples > 0) return;
  choosing.note(fmt::format(
      "widths are chosen {}, for nothing was measured ({})", instead,
      around.samples == nullptr ? around.reason : "it takes more work than the effort allows"));
}

// The largest mix that keeps to `bytes` with all that the module adds.
Expected<std::optional<WeightPlan>> mix_within(const Model& model, const WeightPlan& plan,
                                               const Mix& mix, std::int64_t bytes,
                                               const WidthSurroundings& around) {
  SUBBYTE_TRY(const StoredTotals before, totals_of(model, around, plan));
  std::int64_t rest = bytes - (before.bytes - stored_bytes(plan));
  // What is added depends on the widths a little. Where fewer bytes give the same widths again,
  // many fewer are tried.
  constexpr int kTries = 16;
  std::int64_t more = 1;
  for (int i = 0; i < kTries; ++i) {
    auto mixed = plan_within(model, plan, mix, rest);
    if (!mixed) break;
    SUBBYTE_TRY(const StoredTotals totals, totals_of(model, around, *mixed));
    if (totals.bytes <= bytes) return mixed;
    rest -= std::max(totals.bytes - bytes, more);
    more *= 2;
  }
  return std::optional<WeightPlan>();
}

double measure_of(const OutputLoss& loss, LossMeasure measure) {
  switch (measure) {
    case LossMeasure::error:
      return loss.relative_l2.value;
    case LossMeasure::kl:
      return loss.kl ? loss.kl->value : 0;
    case LossMeasure::flips:
      return loss.flips ? loss.flips->value : 0;
  }
  return 0;
}

std::string loss_text(LossMeasure measure, double lost) {
  return measure == LossMeasure::kl ? fmt::format("{:.3g}", lost)
                                    : fmt::format("{:.3g} %", lost * 100);
}

// A plan with one width for all, and what its outputs lose.
struct UniformPlan {
  WeightPlan plan;
  double lost = 0;
};

// The number of bytes, of a few hundred evenly spread, at which a mix first loses at most `most`:
// found by halving, as if losses only fell with bytes. A plan with one width for all that does with
// fewer is taken instead.
Expected<std::optional<WeightPlan>> smallest_losing(const Model& model, const WeightPlan& plan,
                                                    const Mix& mix, LossMeasure measure,
                                                    double most, Choosing& choosing,
                                                    std::span<const UniformPlan> uniform) {
  constexpr int kSteps = 256;
  const std::int64_t least = least_bytes(mix), widest = most_bytes(mix);
  std::optional<WeightPlan> found;
  int low = -1, high = kSteps;  // `high` is known to do, once it was found
  while (high - low > 1) {
    const int step = found || low >= 0 ? (low + high) / 2 : kSteps / 4;
    auto mixed = plan_within(model, plan, mix, least + (widest - least) * step / kSteps);
    SUBBYTE_TRY(const double lost, choosing.lost(*mixed, measure));
    if (lost <= most) {
      high = step;
      found = std::move(mixed);
    } else {
      low = step;
    }
  }
  if (!found) {
    auto mixed = plan_within(model, plan, mix, widest);
    SUBBYTE_TRY(const double lost, choosing.lost(*mixed, measure));
    if (lost <= most) found = std::move(mixed);
  }
  for (const UniformPlan& one : uniform)
    if (one.lost <= most && (!found || stored_bytes(one.plan) < stored_bytes(*found)))
      found = one.plan;
  return found;
}

}  // namespace

std::string measure_name(LossMeasure measure) {
  switch (measure) {
    case LossMeasure::error:
      return "error";
    case LossMeasure::kl:
      return "kl";
    case LossMeasure::flips:
      return "flips";
  }
  return "error";
}

Expected<LossMeasure> fitting_measure(const Model& model, const LossGoal& goal) {
  const bool decides = std::ranges::any_of(
      output_contents(model), [](const OutputContent& c) { return c.says != Says::numbers; });
  if (!goal.measure) return decides ? LossMeasure::flips : LossMeasure::error;
  if (*goal.measure != LossMeasure::error && !decides) {
    return fail(
        "--max-loss {}: no output of the model is a distribution or decides something; "
        "'error' is what fits its outputs",
        measure_name(*goal.measure));
  }
  return *goal.measure;
}

Check check_of(const Model& model, const ComparedOutputs& outputs, std::size_t plan) {
  Check check;
  const auto contents = output_contents(model);
  for (std::size_t o = 0; o < contents.size(); ++o) {
    std::vector<Tensor> a, b;
    for (std::size_t s = 0; s < outputs.exact.size(); ++s) {
      a.push_back(outputs.exact[s][o]);
      b.push_back(outputs.found[plan][s][o]);
    }
    check.outputs.push_back({"", contents[o], output_loss(contents[o], a, b)});
  }
  return check;
}

double lost_of(const Check& check, LossMeasure measure) {
  double most = 0;
  for (const OutputCheck& output : check.outputs)
    most = std::max(most, measure_of(output.loss, measure));
  return most;
}

Expected<std::vector<WeightPlan>> choose_mixed(const Model& model, WeightPlan plan,
                                               const WidthSurroundings& around) {
  Choosing choosing(model, around);
  std::vector<WeightPlan> plans{std::move(plan)};
  if (around.samples == nullptr) return plans;
  SUBBYTE_TRY(const Mix mix, choosing.measure(plans[0]));
  if (mix.samples == 0) {
    note_unmeasured(choosing, mix, around, "by component");
    return plans;
  }
  const std::int64_t bytes = stored_bytes(plans[0]);
  auto mixed = plan_within(model, plans[0], mix, bytes);
  if (!mixed) return plans;
  plans.insert(plans.begin(), std::move(*mixed));
  const auto fits = [bytes](const WeightPlan& one) -> Expected<bool> {
    return stored_bytes(one) <= bytes;
  };
  return best_of(choosing, std::move(plans), fits, around);
}

Expected<std::vector<WeightPlan>> choose_wider(const Model& model, WeightPlan plan,
                                               Precision precision,
                                               const WidthSurroundings& around) {
  const Choosing choosing(model, around);
  SUBBYTE_TRY(const auto report,
              widen_measured(model, plan, precision, *around.samples, choosing.options()));
  choosing.detail(
      report.samples == 0
          ? "widths: the smallest weights stay wider, for nothing was measured"
          : fmt::format("widths: on held-out inputs the outputs lose {:.4g} with the smallest "
                        "weights wider, {:.4g} with those that lost most on {} inputs, which is {}",
                        report.smallest, report.measured, report.samples,
                        report.changed ? "kept" : "not kept"));
  return std::vector<WeightPlan>{std::move(plan)};
}

Expected<std::vector<WeightPlan>> choose_for_size(const Model& model, const WeightPlan& plan,
                                                  const WidthGoal& goal,
                                                  const WidthSurroundings& around) {
  Choosing choosing(model, around);
  SUBBYTE_TRY(const Mix mix, choosing.measure(plan));
  note_unmeasured(choosing, mix, around, "by what rounding loses of the weights alone");
  SUBBYTE_TRY(const StoredTotals now, totals_of(model, around, plan));
  const std::int64_t bytes =
      goal.bytes ? *goal.bytes
                 : static_cast<std::int64_t>(*goal.bits / 8 * static_cast<double>(now.numbers));
  SUBBYTE_TRY(auto mixed, mix_within(model, plan, mix, bytes, around));
  if (!mixed) {
    SUBBYTE_TRY(const StoredTotals least,
                totals_of(model, around, plan_within(model, plan, mix, least_bytes(mix)).value()));
    SUBBYTE_TRY(const StoredTotals most,
                totals_of(model, around, plan_within(model, plan, mix, most_bytes(mix)).value()));
    return fail(
        "{}: the weights of {} take at least {}, all that may be narrow at the fewest bits, and at "
        "most {}; ask for something in between",
        goal_text(goal), quoted(model.source_name), size_text(least), size_text(most));
  }
  // Biases that calibration may make are larger beside weights of one width.
  const auto fits = [&](const WeightPlan& one) -> Expected<bool> {
    SUBBYTE_TRY(const StoredTotals taken, totals_of(model, around, one));
    return taken.bytes <= bytes;
  };
  return best_of(choosing, {std::move(*mixed)}, fits, around);
}

Expected<std::vector<std::optional<double>>> matrix_losses(const Model& model,
                                                           const WeightPlan& plan,
                                                           const WidthSurroundings& around) {
  std::vector<std::optional<double>> losses(plan.uses.size());
  std::vector<std::size_t> asked;
  std::vector<StoredWeight> questions;
  for (std::size_t i = 0; i < plan.uses.size(); ++i) {
    const StoredWeight& stored = plan.stored.at(plan.uses[i].value);
    if (!is_matrix(plan.uses[i].kind) || value_bits(stored.encoding) == 32) continue;
    asked.push_back(i);
    questions.push_back(stored);
  }
  Choosing choosing(model, around);
  SUBBYTE_TRY(const auto measured, choosing.each(questions));
  for (std::size_t q = 0; q < measured.size(); ++q) losses[asked[q]] = measured[q];
  return losses;
}

Expected<TriedPlan> choose_for_loss(const Model& model, const WeightPlan& plan,
                                    const LossGoal& goal, const WidthSurroundings& around,
                                    const std::function<Expected<TriedPlan>(WeightPlan)>& finish) {
  Choosing choosing(model, around);
  SUBBYTE_TRY(const LossMeasure measure, fitting_measure(model, goal));
  if (around.samples == nullptr || choosing.held_out(1).empty()) {
    return fail(
        "--max-loss: what is lost cannot be measured: {}; --target-size and --target-bits "
        "need no running",
        around.samples == nullptr ? around.reason : "it takes more work than the effort allows");
  }
  SUBBYTE_TRY(const Mix mix, choosing.measure(plan));
  note_unmeasured(choosing, mix, around, "by what rounding loses of the weights alone");
  if (!goal.measure)
    choosing.note(fmt::format("--max-loss: what fits the outputs is '{}'", measure_name(measure)));
  SUBBYTE_TRY(auto plans, choosing.uniform_plans(plan, any_fits, std::size(kUniform)));
  std::vector<UniformPlan> uniform;
  for (WeightPlan& one : plans) {
    SUBBYTE_TRY(const double lost, choosing.lost(one, measure));
    uniform.push_back({std::move(one), lost});
  }
  std::optional<TriedPlan> best, least;  // the smallest that does, and the one that loses least
  const auto attempt = [&](WeightPlan next) -> Expected<bool> {
    SUBBYTE_TRY(TriedPlan tried, finish(std::move(next)));
    choosing.detail(fmt::format("widths: {} lose {} once calibrated",
                                bytes_text(stored_bytes(tried.plan)),
                                loss_text(measure, tried.lost)));
    const bool does = tried.lost <= goal.most;
    if (does && (!best || stored_bytes(tried.plan) < stored_bytes(best->plan))) best = tried;
    if (!least || tried.lost < least->lost) least = std::move(tried);
    return does;
  };
  // Calibration changes what is lost, mostly for the better: the bound on what is lost before it is
  // moved by as much, and halved between one that did and one that did not.
  constexpr int kTries = 5;
  std::vector<std::int64_t> tried_bytes;
  double bound = goal.most, did = 0, did_not = INFINITY;
  for (int i = 0; i < kTries; ++i) {
    SUBBYTE_TRY(auto next, smallest_losing(model, plan, mix, measure, bound, choosing, uniform));
    if (!next) next = plan_within(model, plan, mix, most_bytes(mix));
    const std::int64_t bytes = stored_bytes(*next);
    if (std::ranges::find(tried_bytes, bytes) != tried_bytes.end()) break;
    tried_bytes.push_back(bytes);
    SUBBYTE_TRY(const bool does, attempt(std::move(*next)));
    (does ? did : did_not) = bound;
    const double ratio = least->lost > 0 ? goal.most / least->lost : 8;
    if (did > 0 && std::isfinite(did_not)) {
      bound = std::sqrt(did * did_not);
    } else {
      bound *= does ? std::clamp(ratio, 1.05, 8.0) : std::min(ratio * 0.8, 0.9);
    }
  }
  // What is wide everywhere loses least, and a mix may not be.
  for (std::size_t i = uniform.size(); !best && i-- > 0;) {
    if (i > 1) continue;  // float16 and 8 bits
    SUBBYTE_CHECK_OK(attempt(std::move(uniform[i].plan)));
  }
  if (best) return std::move(*best);
  return fail(
      "--max-loss {}={}: of all widths that were tried the weights of {} lose least, {}; ask for "
      "no less",
      measure_name(measure), loss_text(measure, goal.most), bytes_text(stored_bytes(least->plan)),
      loss_text(measure, least->lost));
}

}  // namespace subbyte
