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
// Of the bytes that are saved, until the promise is kept.
constexpr int kBisections = 12;

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

// One way to store a weight.
struct Way {
  Encoding encoding;
  std::int64_t more_bytes = 0;  // than as asked; negative where it saves some
  double rest = 1;              // what of the loss is left of it, by what rounding changes
  bool is_wide = false;
};

struct Candidate {
  std::size_t use = 0;
  double parameters = 0;
  std::vector<Way> ways;  // the first as asked
};

// Wider than asked. At 8 bits what is wider takes more bytes, which others save.
Encoding wide_encoding(const WeightUse& use, int bits) {
  const bool halves = bits == 8 && fits_float16(use.range.largest);
  return halves ? Encoding(FloatEncoding{16}) : wider_encoding(use);
}

// With which a weight at 8 bits takes fewer bytes at the same width: groups twice as long.
std::vector<Encoding> thrifty_encodings(const WeightUse& use, const AffineEncoding& asked) {
  constexpr int kLongGroup = 64;
  if (asked.bits != 8 || asked.group >= kLongGroup || use.k <= asked.group) return {};
  AffineEncoding longer = asked;
  longer.group = kLongGroup;
  return {longer};
}

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
    for (const Candidate& c : candidates_) saved_bytes_ -= least_bytes(c);
  }

  const std::vector<Candidate>& candidates() const { return candidates_; }

  std::vector<StoredWeight> questions() const {
    std::vector<StoredWeight> questions;
    for (const Candidate& c : candidates_)
      questions.push_back(narrow_.stored.at(plan_.uses[c.use].value));
    return questions;
  }

  // With those wider that gain most by it.
  WeightPlan chosen(const std::vector<double>& losses) const {
    const auto best = saved_bytes_ > 0 ? within_savings(losses) : within_bounds(losses);
    WeightPlan plan = narrow_;
    for (std::size_t c = 0; best && c < candidates_.size(); ++c) {
      if ((*best)[c] == 0) continue;
      const Candidate& candidate = candidates_[c];
      const Way& way = candidate.ways[(*best)[c]];
      store_as(
          model_, plan, candidate.use,
          {way.encoding,
           way.is_wide ? fmt::format("of all weights it is one of those whose rounding to {} bits "
                                     "costs the outputs most for the bytes it saves",
                                     bits_)
                       : ""});
    }
    return plan;
  }

 private:
  using Items = std::vector<std::vector<Option>>;
  using Choice = std::optional<std::vector<std::size_t>>;

  static double bound(std::int64_t bytes) {
    return static_cast<double>(std::max<std::int64_t>(bytes, 1));
  }

  static std::int64_t least_bytes(const Candidate& candidate) {
    return std::ranges::min(candidate.ways, {}, &Way::more_bytes).more_bytes;
  }

  // Of each candidate its ways, by the bytes that each takes more than the shortest.
  Items options_by_bytes(const std::vector<double>& losses) const {
    Items items(candidates_.size());
    for (std::size_t c = 0; c < candidates_.size(); ++c)
      for (const Way& way : candidates_[c].ways)
        items[c].push_back({way.more_bytes - least_bytes(candidates_[c]), losses[c] * way.rest});
    return items;
  }

  // The same, each taking its share of whichever bound is the tighter for it, so that what is
  // within this one bound is within both.
  Items options_by_share(const std::vector<double>& losses) const {
    Items items = options_by_bytes(losses);
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      const Candidate& candidate = candidates_[c];
      const auto more = static_cast<double>(candidate.ways[1].more_bytes);
      const double share =
          std::max(more / bound(most_bytes_), candidate.parameters / most_parameters_);
      items[c][1].bytes = static_cast<std::int64_t>(std::ceil(share * kWhole));
    }
    return items;
  }

  // Where what is wider fills the bytes that the smallest took.
  Choice within_bounds(const std::vector<double>& losses) const {
    const auto best = least_loss(options_by_bytes(losses), most_bytes_);
    if (!best || has_few_parameters(*best)) return best;
    return least_loss(options_by_share(losses), static_cast<std::int64_t>(kWhole));
  }

  // Where it fills what other weights save: as many of those bytes as the promise allows.
  Choice within_savings(const std::vector<double>& losses) const {
    const Items items = options_by_bytes(losses);
    std::int64_t most = most_bytes_ + saved_bytes_, least = 0;
    Choice best = least_loss(items, most);
    if (best && has_few_parameters(*best)) return best;
    best.reset();
    for (int step = 0; step < kBisections && least < most; ++step) {
      const std::int64_t middle = least + (most - least) / 2;
      Choice found = least_loss(items, middle);
      if (found && has_few_parameters(*found)) {
        best = std::move(found);
        least = middle + 1;
      } else {
        most = middle;
      }
    }
    return best;
  }

  bool has_few_parameters(const std::vector<std::size_t>& ways) const {
    double parameters = 0;
    for (std::size_t c = 0; c < candidates_.size(); ++c)
      if (candidates_[c].ways[ways[c]].is_wide) parameters += candidates_[c].parameters;
    return parameters <= most_parameters_;
  }

  void consider(std::size_t i) {
    const WeightUse& use = plan_.uses[i];
    const auto* affine = std::get_if<AffineEncoding>(&narrow_.assignments[i].encoding);
    if (affine == nullptr || affine->bits != bits_ || plan_.named[i]) return;
    if (!std::holds_alternative<ElementsOfConstant>(narrow_.stored.at(use.value).source)) return;
    const Encoding wide = wide_encoding(use, bits_);
    const auto thrifty = thrifty_encodings(use, *affine);
    const std::int64_t asked = bytes_as(use, *affine), more = bytes_as(use, wide) - asked;
    const auto parameters = static_cast<double>(use.parameters());
    const bool may_widen = value_bits(wide) > bits_ && parameters <= most_parameters_ &&
                           (bits_ == 8 || more <= most_bytes_);
    if (!may_widen && thrifty.empty()) return;
    Candidate candidate{i, parameters, {{*affine}}};
    if (may_widen)
      candidate.ways.push_back(
          {wide, std::max<std::int64_t>(more, 0), std::min(rest_of(use, wide), 1.0), true});
    for (const Encoding& encoding : thrifty)
      candidate.ways.push_back({encoding, bytes_as(use, encoding) - asked, rest_of(use, encoding)});
    candidates_.push_back(std::move(candidate));
  }

  // How much of the loss another encoding leaves, by what rounding changes.
  double rest_of(const WeightUse& use, const Encoding& encoding) const {
    StoredWeight stored = narrow_.stored.at(use.value);
    const double asked = noise_of(model_, use, stored);
    stored.encoding = encoding;
    stored.source = ElementsOfConstant{};
    return asked > 0 ? noise_of(model_, use, stored) / asked : 1;
  }

  const Model& model_;
  const WeightPlan& plan_;
  int bits_;
  WeightPlan narrow_;
  double most_parameters_ = 0;
  // That what is wider may take beside what others save.
  std::int64_t most_bytes_ = 0;
  std::int64_t saved_bytes_ = 0;  // at most
  std::vector<Candidate> candidates_;
};

}  // namespace

Expected<WidenReport> widen_measured(const Model& model, WeightPlan& plan, Precision precision,
                                     const SampleSet& samples, const MeasureOptions& options) {
  WidenReport report;
  const Widening widening(model, plan, bits_of(precision));
  const auto questions = widening.questions();
  if (questions.empty()) return report;
  std::vector<float> shares{1, 0};
  if (share_of_biases(model) == 0) shares.resize(1);
  // By a text that it writes itself, a large language model is measured only where widths are asked
  // for: it takes as long as all the rest.
  const bool few_texts = !samples.written || options.effort == Effort::best;
  const auto affordable = [&](std::span<const Sample> all, std::size_t asked) {
    return measured_samples(model, all, samples.work_each, asked, options.effort, few_texts);
  };
  const std::size_t count = affordable(samples.tuning, shares.size() * questions.size());
  const std::size_t judging = affordable(samples.held_out, 8);
  if (count == 0 || judging == 0) return report;
  RoundedWeights rounded(model);
  MeasureOptions measuring = options;
  measuring.running.kinds = kinds_of(samples.tuning_kinds, count);
  std::vector<WeightPlan> measured;
  for (const float taken : shares) {
    measuring.shift_taken = taken;
    SUBBYTE_TRY(
        const auto losses,
        measure_each(model, questions, std::span(samples.tuning).first(count), rounded, measuring));
    measured.push_back(widening.chosen(losses));
  }
  report.samples = count;
  std::vector<const WeightPlan*> plans{&plan};
  for (const WeightPlan& one : measured) plans.push_back(&one);
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
