#include "quantize/allocate/mix.h"

#include <algorithm>
#include <cmath>

#include "quantize/allocate/knapsack.h"

namespace subbyte::allocate {
namespace {

int width_of(const Choice& choice) { return value_bits(choice.assignment.encoding); }

// The index of the choice of that width that rounds best; nullopt where there is none.
std::optional<std::size_t> best_of_width(const std::vector<Choice>& choices, int width) {
  std::optional<std::size_t> best;
  for (std::size_t c = 0; c < choices.size(); ++c)
    if (width_of(choices[c]) == width && (!best || choices[c].noise < choices[*best].noise))
      best = c;
  return best;
}

StoredWeight stored_as(const Model& model, const WeightPlan& plan, std::size_t use,
                       const Choice& choice) {
  WeightPlan one;
  one.uses = {plan.uses[use]};
  one.assignments = {choice.assignment};
  store_as(model, one, 0, choice.assignment);
  return one.stored.begin()->second;
}

struct Question {
  std::size_t use = 0, choice = 0;
};

std::vector<Question> questions_at(const Mix& mix, std::span<const int> widths) {
  std::vector<Question> questions;
  for (std::size_t i = 0; i < mix.choices.size(); ++i) {
    if (mix.choices[i].size() < 2) continue;
    const std::size_t before = questions.size();
    for (const int width : widths)
      if (const auto c = best_of_width(mix.choices[i], width)) questions.push_back({i, *c});
    // One of none of these widths is asked at its narrowest.
    if (questions.size() == before) questions.push_back({i, 0});
  }
  return questions;
}

// The losses of all choices of a weight from those that were measured, which are of the indices
// `at`: by noise from that of the same width, else the nearest; never less than what rounds better.
void spread(std::vector<Choice>& choices, const std::vector<std::size_t>& at) {
  for (std::size_t c = 0; c < choices.size(); ++c) {
    if (std::ranges::find(at, c) != at.end()) continue;
    const auto from = std::ranges::min_element(at, {}, [&](std::size_t a) {
      return std::abs(width_of(choices[a]) - width_of(choices[c]));
    });
    const Choice& measured = choices[*from];
    choices[c].loss =
        measured.noise > 0 ? measured.loss * choices[c].noise / measured.noise : measured.loss;
  }
  double least = 0;
  for (std::size_t c = choices.size(); c-- > 0;) {
    choices[c].loss = std::max(choices[c].loss, least);
    least = choices[c].loss;
  }
}

}  // namespace

Expected<Mix> measure_mix(const Model& model, const WeightPlan& plan,
                          std::span<const Sample> samples, double work_each,
                          RoundedWeights& rounded, const MeasureOptions& options) {
  Mix mix{choices_of(model, plan)};
  for (auto& choices : mix.choices)
    for (Choice& choice : choices) choice.loss = choices.size() > 1 ? choice.noise : 0;
  constexpr int kAll[] = {4, 3, 2}, kOne[] = {3};
  std::vector<Question> asked = questions_at(mix, kAll);
  std::size_t count = measured_samples(model, samples, work_each, asked.size(), options.effort);
  if (count < 4) {
    asked = questions_at(mix, kOne);
    count = measured_samples(model, samples, work_each, asked.size(), options.effort);
  }
  if (count == 0 || asked.empty()) return mix;
  std::vector<StoredWeight> questions;
  questions.reserve(asked.size());
  for (const Question& q : asked)
    questions.push_back(stored_as(model, plan, q.use, mix.choices[q.use][q.choice]));
  MeasureOptions measuring = options;
  measuring.running.kinds = kinds_of(options.running.kinds, count);
  SUBBYTE_TRY(const auto losses,
              measure_each(model, questions, samples.first(count), rounded, measuring));
  std::vector<std::vector<std::size_t>> measured(mix.choices.size());
  for (std::size_t q = 0; q < asked.size(); ++q) {
    Choice& choice = mix.choices[asked[q].use][asked[q].choice];
    choice.loss = losses[q];
    choice.measured = true;
    measured[asked[q].use].push_back(asked[q].choice);
  }
  for (std::size_t i = 0; i < mix.choices.size(); ++i)
    if (!measured[i].empty()) spread(mix.choices[i], measured[i]);
  mix.samples = count;
  return mix;
}

std::int64_t least_bytes(const Mix& mix) {
  std::int64_t bytes = 0;
  for (const auto& choices : mix.choices) bytes += choices.front().bytes;
  return bytes;
}

std::int64_t most_bytes(const Mix& mix) {
  std::int64_t bytes = 0;
  for (const auto& choices : mix.choices) bytes += choices.back().bytes;
  return bytes;
}

std::optional<WeightPlan> plan_within(const Model& model, const WeightPlan& plan, const Mix& mix,
                                      std::int64_t bytes) {
  std::vector<std::vector<Option>> items;
  for (const auto& choices : mix.choices) {
    items.emplace_back();
    for (const Choice& choice : choices) items.back().push_back({choice.bytes, choice.loss});
  }
  const auto chosen = least_loss(items, bytes);
  if (!chosen) return std::nullopt;
  WeightPlan mixed = plan;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto& choices = mix.choices[i];
    if (choices.size() > 1) store_as(model, mixed, i, choices[(*chosen)[i]].assignment);
  }
  mixed.broken.reset();
  return mixed;
}

std::optional<double> loss_of(const Mix& mix, const WeightPlan& plan, std::size_t use) {
  const auto& choices = mix.choices[use];
  if (choices.size() < 2) return std::nullopt;
  const auto has = std::ranges::find_if(choices, [&](const Choice& choice) {
    return choice.assignment.encoding == plan.assignments[use].encoding;
  });
  if (has == choices.end()) return std::nullopt;
  return has->loss;
}

}  // namespace subbyte::allocate
