#include "quantize/weight_plan.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "base/threads.h"
#include "graph/grid.h"
#include "graph/source_form.h"
#include "quantize/arrived.h"
#include "quantize/choose_encoding.h"
#include "quantize/encoding.h"
#include "quantize/flow.h"
#include "quantize/mixed.h"
#include "quantize/uses.h"
#include "quantize/widen.h"

namespace subbyte {
namespace {

constexpr Precision kMixedNarrow = Precision::bits4;

Precision mixed_precision(Component component) {
  switch (component) {
    case Component::feed_forward:
    case Component::convolution:
      return kMixedNarrow;
    case Component::head:
      return Precision::float16;
    default:
      return Precision::bits8;
  }
}

// Group sizes and zero points as the values ask for.
void choose_encodings(const SampledUses& found, std::vector<Assignment>& assignments) {
  parallel_for(found.uses.size(), [&](std::size_t i) {
    auto* const affine = std::get_if<AffineEncoding>(&assignments[i].encoding);
    const WeightUse& use = found.uses[i];
    if (affine == nullptr || !is_matrix(use.kind)) return;
    *affine = choose_encoding(affine->bits, found.samples[i], use.k, use.scale_magnitude());
  });
}

// As a rule asks for; what is stored as floats stays so.
void set_form(const AffineForm& form, const WeightUse& use, Assignment& assignment) {
  auto* const affine = std::get_if<AffineEncoding>(&assignment.encoding);
  if (affine == nullptr) return;
  for (AffineEncoding encoding : affine_encodings(affine->bits, use.scale_magnitude())) {
    if (encoding.zero_bits != form.zero_bits) continue;
    encoding.group = form.group;
    *affine = encoding;
  }
}

// Calls `change` with those of the uses that are marked, and their assignments.
template <typename Change>
void for_marked(const std::vector<WeightUse>& uses, const std::vector<bool>& marked,
                std::vector<Assignment>& assignments, const Change& change) {
  std::vector<WeightUse> some;
  std::vector<Assignment> theirs;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    if (!marked[i]) continue;
    some.push_back(uses[i]);
    theirs.push_back(std::move(assignments[i]));
  }
  change(some, theirs);
  for (std::size_t i = 0, next = 0; i < uses.size(); ++i) {
    if (marked[i]) assignments[i] = std::move(theirs[next++]);
  }
}

// Only what no rule names is kept wider.
void widen(const std::vector<WeightUse>& uses, const PrecisionPolicy& policy,
           const std::vector<Precision>& precisions, const std::vector<bool>& named,
           std::vector<Assignment>& assignments) {
  std::vector<bool> unnamed = named;
  unnamed.flip();
  if (policy.precision) {
    widen_smallest(uses, *policy.precision, unnamed, assignments);
    return;
  }
  std::vector<bool> narrow(uses.size());
  for (std::size_t i = 0; i < uses.size(); ++i) {
    narrow[i] = unnamed[i] && is_matrix(uses[i].kind) && precisions[i] == kMixedNarrow;
  }
  for_marked(uses, narrow, assignments, [](const auto& some, auto& theirs) {
    widen_smallest(some, kMixedNarrow, std::vector<bool>(some.size(), true), theirs);
  });
}

std::optional<BrokenPromise> broken_promise(const WeightPlan& plan, Precision precision) {
  BrokenPromise broken{bits_of(precision), 0, {}};
  double all = 0, kept = 0;
  for (std::size_t i = 0; i < plan.uses.size(); ++i) {
    const auto parameters = static_cast<double>(plan.uses[i].parameters());
    all += parameters;
    if (plan.named[i] || value_bits(plan.assignments[i].encoding) <= broken.bits) {
      kept += parameters;
    } else {
      broken.wider.push_back(i);
    }
  }
  if (all == 0 || kept >= kPromised * all) return std::nullopt;
  broken.share = kept / all;
  std::stable_sort(broken.wider.begin(), broken.wider.end(), [&](std::size_t a, std::size_t b) {
    return plan.uses[a].parameters() > plan.uses[b].parameters();
  });
  return broken;
}

std::string model_type(const std::vector<WeightUse>& uses) {
  std::string type = "other";
  for (const WeightUse& use : uses) {
    if (use.component == Component::attention) return "transformer";
    if (use.component == Component::convolution) type = "convolutional";
  }
  return type;
}

// Weights that arrived quantized stay on their grid where they may have as many bits. Marks them.
std::vector<bool> keep_arrived(const Model& model, const std::vector<WeightUse>& uses,
                               std::vector<Assignment>& assignments,
                               std::vector<std::string>& requantized) {
  std::vector<bool> kept(uses.size(), false);
  std::map<std::pair<int, int>, std::vector<std::size_t>> narrower;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const Value& value = model.main().values[uses[i].value];
    if (!has_grid(*value.constant)) continue;
    const int bits = value_bits(assignments[i].encoding);
    auto arrived = arrived_encoding(*value.constant, uses[i].order);
    if (!arrived) {
      // What is no matrix is stored as the floats that it is, where it is not one that is large.
      if (bits < 16 || is_matrix(uses[i].kind))
        requantized.push_back(fmt::format("weight {} arrived quantized, but {}: it is stored anew",
                                          quoted(source_name(value)), arrived.error().message));
    } else if (const int own = value_bits(*arrived); own <= bits) {
      assignments[i] = {*arrived, ""};
      kept[i] = true;
    } else {
      narrower[{own, bits}].push_back(i);
    }
  }
  for (const auto& [widths, which] : narrower) {
    requantized.push_back(fmt::format(
        "{} arrived at {} bits and {} quantized anew at {}, from the numbers that the codes stand "
        "for",
        which.size() == 1
            ? fmt::format("weight {}",
                          quoted(source_name(model.main().values[uses[which[0]].value])))
            : fmt::format("{} weights", which.size()),
        widths.first, which.size() == 1 ? "is" : "are", widths.second));
  }
  return kept;
}

// Numbers that are halves in the source lose nothing as halves, whatever more bits they may have.
void keep_halves(const Model& model, const std::vector<WeightUse>& uses,
                 std::vector<Assignment>& assignments) {
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const auto* floats = std::get_if<FloatEncoding>(&assignments[i].encoding);
    const bool is_wide = floats != nullptr && floats->bits == 32;
    const DType dtype = model.main().values[uses[i].value].constant->dtype;
    if (is_wide && dtype == DType::float16 && uses[i].range.all_finite)
      assignments[i].encoding = FloatEncoding{16};
  }
}

StoredWeight stored_weight(const WeightUse& use, const Assignment& assignment, bool arrived) {
  StoredSource source = CodesOfGrid{};
  if (!arrived) {
    ElementsOfConstant elements;
    if (const auto* affine = std::get_if<AffineEncoding>(&assignment.encoding)) {
      elements.search = scale_search(affine->bits, use.kind);
    }
    source = elements;
  }
  return {.value = use.value,
          .encoding = assignment.encoding,
          .rows = use.rows,
          .k = use.k,
          .order = use.order,
          .layout = row_layout(assignment.encoding, use.k),
          .source = source};
}

}  // namespace

std::int64_t parameters_of(const WeightPlan& plan) {
  std::int64_t parameters = 0;
  for (const WeightUse& use : plan.uses) parameters += use.parameters();
  return parameters;
}

std::optional<PrecisionPolicy> policy_from_name(std::string_view name) {
  const auto precision = precision_from_name(name);
  if (!precision && name != "mixed") return std::nullopt;
  return PrecisionPolicy{.precision = precision};
}

Expected<WeightPlan> plan_weights(const Model& model, const PrecisionPolicy& policy) {
  return plan_weights(model, policy, [](std::span<WeightMeter> meters) -> Expected<void> {
    measure_all(meters);
    return {};
  });
}

Expected<WeightPlan> plan_weights(const Model& model, const PrecisionPolicy& policy,
                                  const MeasureWeights& measure) {
  WeightPlan plan;
  SUBBYTE_TRY(SampledUses found, sample_weight_uses(model, measure));
  plan.uses = found.uses;
  std::vector<Precision> precisions;
  for (const WeightUse& use : plan.uses) {
    precisions.push_back(policy.precision.value_or(mixed_precision(use.component)));
  }
  plan.named.resize(plan.uses.size(), false);
  std::vector<bool>& named = plan.named;
  std::vector<bool> as_it_stands(plan.uses.size(), false);
  std::vector<std::optional<AffineForm>> forms(plan.uses.size());
  if (policy.rules) {
    std::vector<std::string> names;
    for (const WeightUse& use : plan.uses) names.push_back(model.main().values[use.value].name);
    SUBBYTE_TRY(AppliedRules applied,
                apply_mixed_precision(*policy.rules, plan.uses, names, precisions, &forms));
    named = std::move(applied.named);
    as_it_stands = std::move(applied.as_it_stands);
    plan.told = std::move(applied.told);
  }
  plan.assignments = assign_encodings(plan.uses, precisions, as_it_stands);
  keep_halves(model, plan.uses, plan.assignments);
  choose_encodings(found, plan.assignments);
  for (std::size_t i = 0; i < forms.size(); ++i)
    if (forms[i]) set_form(*forms[i], plan.uses[i], plan.assignments[i]);
  // A mix takes about as many bits as 4.
  const bool all_narrow = !policy.precision || bits_of(*policy.precision) < 8;
  std::vector<bool> narrow(plan.uses.size(), all_narrow);
  for (std::size_t i = 0; i < narrow.size(); ++i) {
    if (named[i] && bits_of(precisions[i]) < 8) narrow[i] = true;
  }
  for_marked(plan.uses, narrow, plan.assignments,
             [](const auto& some, auto& theirs) { narrow_others(some, theirs); });
  plan.as_asked = plan.assignments;
  widen(plan.uses, policy, precisions, named, plan.assignments);
  const std::vector<bool> arrived =
      keep_arrived(model, plan.uses, plan.assignments, plan.requantized);
  for (std::size_t i = 0; i < plan.uses.size(); ++i)
    if (arrived[i]) plan.as_asked[i] = plan.assignments[i];
  for (std::size_t i = 0; i < plan.uses.size(); ++i) {
    plan.stored.emplace(plan.uses[i].value,
                        stored_weight(plan.uses[i], plan.assignments[i], arrived[i]));
  }
  plan.model_type = model_type(plan.uses);
  if (policy.precision) judge_promise(plan, *policy.precision);
  return plan;
}

void store_as(const Model& model, WeightPlan& plan, std::size_t use, Assignment assignment) {
  const WeightUse& of = plan.uses[use];
  const Tensor& constant = *model.main().values[of.value].constant;
  bool arrived = false;
  if (has_grid(constant)) {
    const auto own = arrived_encoding(constant, of.order);
    arrived = own && *own == assignment.encoding;
  }
  plan.stored[of.value] = stored_weight(of, assignment, arrived);
  plan.assignments[use] = std::move(assignment);
}

std::int64_t stored_bytes(const WeightPlan& plan) {
  std::int64_t bytes = 0;
  for (const auto& [value, weight] : plan.stored) bytes += aligned(stored_bytes(weight));
  return bytes;
}

void judge_promise(WeightPlan& plan, Precision precision) {
  plan.broken = broken_promise(plan, precision);
}

std::vector<std::string> widening_notes(const Model& model, const WeightPlan& plan) {
  std::vector<std::string> notes;
  for (std::size_t i = 0; i < plan.uses.size(); ++i) {
    const std::string& reason = plan.assignments[i].reason;
    if (reason.empty()) continue;
    notes.push_back(fmt::format(
        "weight {}: {}", quoted(source_name(model.main().values[plan.uses[i].value])), reason));
  }
  return notes;
}

std::vector<std::string> output_notes(const Model& model, const WeightPlan& plan) {
  const Graph& graph = model.main();
  std::vector<std::string> notes;
  for (const ValueId output : graph.outputs) {
    ValueId v = output;
    while (graph.values[v].producer != kNone && is_view(graph.nodes[graph.values[v].producer].op))
      v = graph.nodes[graph.values[v].producer].inputs[0];
    const auto stored = plan.stored.find(v);
    if (!graph.values[v].constant || stored == plan.stored.end()) continue;
    const int bits = value_bits(stored->second.encoding);
    if (bits >= 32) continue;
    notes.push_back(
        fmt::format("output {} is the weight {}, and gives its values as they are "
                    "stored at {} bits",
                    quoted(graph.values[output].name), quoted(source_name(graph.values[v])), bits));
  }
  return notes;
}

std::string promise_text(const Model& model, const WeightPlan& plan, const BrokenPromise& broken) {
  constexpr std::size_t kShown = 5;
  double all = 0;
  for (const WeightUse& use : plan.uses) all += static_cast<double>(use.parameters());
  std::string text = fmt::format(
      "{:.1f} % of the parameters are stored at {} bits or fewer, where {:.0f} % are promised",
      broken.share * 100, broken.bits, kPromised * 100);
  for (std::size_t i = 0; i < std::min(kShown, broken.wider.size()); ++i) {
    const WeightUse& use = plan.uses[broken.wider[i]];
    text += fmt::format("{} {} ({:.1f} %) has {} bits, for {}", i == 0 ? ":" : ";",
                        quoted(source_name(model.main().values[use.value])),
                        static_cast<double>(use.parameters()) / all * 100,
                        value_bits(plan.assignments[broken.wider[i]].encoding),
                        plan.assignments[broken.wider[i]].reason);
  }
  if (broken.wider.size() > kShown) {
    text += fmt::format("; and {} smaller ones (--log-level debug shows them)",
                        broken.wider.size() - kShown);
  }
  return text;
}

}  // namespace subbyte
