#include "quantize/allocate/widen_measured.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "quantize/allocate/choices.h"
#include "quantize/allocate/knapsack.h"
#include "quantize/codec.h"
#include "quantize/measure.h"
#include "quantize/widen.h"

namespace subbyte::allocate {
namespace {

// What a bound is in shares of it.
constexpr double kWhole = 1e9;

std::int64_t bytes_as(const WeightUse& use, const Encoding& encoding) {
  return aligned(stored_bytes(row_layout(encoding, use.k), use.rows));
}

double noise_of(const Model& model, const WeightUse& use, const StoredWeight& stored) {
  const Tensor& constant = *model.main().values[use.value].constant;
  const auto sample = sample_rows(row_reader(constant, use.order), use.rows, use.k);
  const auto* own = std::get_if<ElementsOfConstant>(&stored.source);
  const ScaleSearch search = own == nullptr ? ScaleSearch::none : own->search;
  return pack(sample, static_cast<std::int64_t>(sample.size()) / use.k, use.k, stored.encoding,
              {.search = search, .threads = 1})
      .distortion.noise;
}

struct Candidate {
  std::size_t use = 0;
  Encoding wide;
  std::int64_t more_bytes = 0;
  double parameters = 0;
};

// The plan with nothing kept wider by choice.
WeightPlan unwidened(const Model& model, const WeightPlan& plan) {
  WeightPlan narrow = plan;
  for (std::size_t i = 0; i < plan.uses.size(); ++i)
    if (plan.as_asked[i].encoding != plan.assignments[i].encoding)
      store_as(model, narrow, i, plan.as_asked[i]);
  return narrow;
}

class Widening {
 public:
  Widening(const Model& model, const WeightPlan& plan, int bits)
      : model_(model), plan_(plan), bits_(bits), narrow_(unwidened(model, plan)) {
    double all = 0, wide = 0;
    for (std::size_t i = 0; i < plan.uses.size(); ++i) {
      const auto parameters = static_cast<double>(plan.uses[i].parameters());
      all += parameters;
      if (value_bits(narrow_.assignments[i].encoding) > bits) wide += parameters;
    }
    most_parameters_ = kMostWide * all - wide;
    most_bytes_ = stored_bytes(plan) - stored_bytes(narrow_);
    for (std::size_t i = 0; i < plan.uses.size(); ++i) consider(i);
  }

  const std::vector<Candidate>& candidates() const { return candidates_; }

  std::vector<StoredWeight> questions() const {
    std::vector<StoredWeight> questions;
    for (const Candidate& c : candidates_)
      questions.push_back(narrow_.stored.at(plan_.uses[c.use].value));
    return questions;
  }

  // With those that gain most by being wider.
  WeightPlan chosen(const std::vector<double>& losses) const {
    auto best = least_loss(options_by_bytes(losses), most_bytes_);
    if (best && !has_few_parameters(*best))
      best = least_loss(options_by_share(losses), static_cast<std::int64_t>(kWhole));
    WeightPlan plan = narrow_;
    for (std::size_t c = 0; best && c < candidates_.size(); ++c) {
      if ((*best)[c] == 0) continue;
      const Candidate& candidate = candidates_[c];
      store_as(
          model_, plan, candidate.use,
          {candidate.wide, fmt::format("of all weights it is one of those whose rounding to {} "
                                       "bits costs the outputs most for the bytes it saves",
                                       bits_)});
    }
    return plan;
  }

 private:
  static double bound(std::int64_t bytes) {
    return static_cast<double>(std::max<std::int64_t>(bytes, 1));
  }

  // Of each candidate: to stay as narrow as asked, or to be wider.
  std::vector<std::vector<Option>> options_by_bytes(const std::vector<double>& losses) const {
    std::vector<std::vector<Option>> items;
    for (std::size_t c = 0; c < candidates_.size(); ++c)
      items.push_back(
          {{0, losses[c]}, {candidates_[c].more_bytes, losses[c] * rest_of(candidates_[c])}});
    return items;
  }

  // The same, each taking its share of whichever bound is the tighter for it, so that what is
  // within this one bound is within both.
  std::vector<std::vector<Option>> options_by_share(const std::vector<double>& losses) const {
    auto items = options_by_bytes(losses);
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      const Candidate& candidate = candidates_[c];
      const double share = std::max(static_cast<double>(candidate.more_bytes) / bound(most_bytes_),
                                    candidate.parameters / most_parameters_);
      items[c][1].bytes = static_cast<std::int64_t>(std::ceil(share * kWhole));
    }
    return items;
  }

  bool has_few_parameters(const std::vector<std::size_t>& options) const {
    double parameters = 0;
    for (std::size_t c = 0; c < candidates_.size(); ++c)
      if (options[c] != 0) parameters += candidates_[c].parameters;
    return parameters <= most_parameters_;
  }

  void consider(std::size_t i) {
    const WeightUse& use = plan_.uses[i];
    const auto* affine = std::get_if<AffineEncoding>(&narrow_.assignments[i].encoding);
    if (affine == nullptr || affine->bits != bits_ || plan_.named[i]) return;
    if (!std::holds_alternative<ElementsOfConstant>(narrow_.stored.at(use.value).source)) return;
    const Encoding wide = wider_encoding(use);
    const std::int64_t more = bytes_as(use, wide) - bytes_as(use, *affine);
    const auto parameters = static_cast<double>(use.parameters());
    if (value_bits(wide) <= bits_ || parameters > most_parameters_ || more > most_bytes_) return;
    candidates_.push_back({i, wide, std::max<std::int64_t>(more, 0), parameters});
  }

  // How much of the loss stays when it is wider, by what rounding changes.
  double rest_of(const Candidate& candidate) const {
    const WeightUse& use = plan_.uses[candidate.use];
    StoredWeight stored = narrow_.stored.at(use.value);
    const double narrow = noise_of(model_, use, stored);
    stored.encoding = candidate.wide;
    stored.source = ElementsOfConstant{};
    return narrow > 0 ? std::min(noise_of(model_, use, stored) / narrow, 1.0) : 1;
  }

  const Model& model_;
  const WeightPlan& plan_;
  int bits_;
  WeightPlan narrow_;
  double most_parameters_ = 0;
  std::int64_t most_bytes_ = 0;
  std::vector<Candidate> candidates_;
};

}  // namespace

Expected<WidenReport> widen_measured(const Model& model, WeightPlan& plan, Precision precision,
                                     const SampleSet& samples, const MeasureOptions& options) {
  WidenReport report;
  const Widening widening(model, plan, bits_of(precision));
  const auto questions = widening.questions();
  if (questions.empty()) return report;
  constexpr float kTaken[] = {1, 0};
  const std::size_t count = measured_samples(model, samples.tuning, samples.work_each,
                                             std::size(kTaken) * questions.size(), options.effort);
  const std::size_t judging =
      measured_samples(model, samples.held_out, samples.work_each, 8, options.effort);
  if (count == 0 || judging == 0) return report;
  RoundedWeights rounded(model);
  MeasureOptions measuring = options;
  measuring.running.kinds = kinds_of(samples.tuning_kinds, count);
  std::vector<WeightPlan> measured;
  for (const float taken : kTaken) {
    measuring.shift_taken = taken;
    SUBBYTE_TRY(
        const auto losses,
        measure_each(model, questions, std::span(samples.tuning).first(count), rounded, measuring));
    measured.push_back(widening.chosen(losses));
  }
  report.samples = count;
  const WeightPlan* const plans[] = {&plan, &measured[0], &measured[1]};
  measuring.running.kinds = kinds_of(samples.held_out_kinds, judging);
  SUBBYTE_TRY(const auto found, losses_of(model, plans, std::span(samples.held_out).first(judging),
                                          rounded, measuring.running));
  const auto best = std::min_element(found.begin() + 1, found.end());
  report.smallest = found[0];
  report.measured = *best;
  report.changed = report.measured < report.smallest;
  if (report.changed) {
    plan = std::move(measured[static_cast<std::size_t>(best - found.begin() - 1)]);
    judge_promise(plan, precision);
  }
  return report;
}

}  // namespace subbyte::allocate
