#include "quantize/allocate/choices.h"

#include <algorithm>

#include "base/threads.h"
#include "graph/grid.h"
#include "quantize/arrived.h"
#include "quantize/choose_encoding.h"
#include "quantize/codec.h"
#include "quantize/encoding.h"
#include "quantize/measure.h"

namespace subbyte::allocate {
namespace {

Choice choice(const WeightUse& use, Encoding encoding, std::string reason = "") {
  const RowLayout layout = row_layout(encoding, use.k);
  return {{encoding, std::move(reason)}, aligned(stored_bytes(layout, use.rows))};
}

bool is_free(const WeightUse& use) {
  return is_matrix(use.kind) && use.range.all_finite && fits_affine(use.range.largest);
}

void keep_undominated(std::vector<Choice>& choices) {
  std::ranges::stable_sort(choices, [](const Choice& a, const Choice& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.noise < b.noise;
  });
  std::vector<Choice> kept;
  for (Choice& c : choices)
    if (kept.empty() || c.noise < kept.back().noise) kept.push_back(std::move(c));
  choices = std::move(kept);
}

std::vector<Choice> free_choices(const Model& model, const WeightUse& use) {
  const Tensor& constant = *model.main().values[use.value].constant;
  int widest = 16;
  std::vector<Choice> choices;
  if (has_grid(constant)) {
    if (const auto own = arrived_encoding(constant, use.order)) {
      choices.push_back(choice(use, *own));
      widest = value_bits(*own) - 1;
    }
  }
  const auto sample = sample_rows(row_reader(constant, use.order), use.rows, use.k);
  const auto rows = use.k == 0 ? 0 : static_cast<std::int64_t>(sample.size()) / use.k;
  const auto add = [&](const Encoding& encoding, ScaleSearch search) {
    choices.push_back(choice(use, encoding));
    if (sample.empty()) return;
    const Distortion lost =
        pack(sample, rows, use.k, encoding, {.search = search, .threads = 1}).distortion;
    choices.back().noise = lost.noise == 0 ? 0 : lost.noise / lost.signal;
  };
  if (widest >= 16 && fits_float16(use.range.largest)) add(FloatEncoding{16}, ScaleSearch::none);
  for (const int bits : {8, 4, 3, 2}) {
    if (bits > widest) continue;
    for (const AffineEncoding& encoding : encoding_choices(bits, use.k, use.scale_magnitude()))
      add(encoding, scale_search(bits, use.kind));
  }
  keep_undominated(choices);
  return choices;
}

}  // namespace

std::vector<std::vector<Choice>> choices_of(const Model& model, const WeightPlan& plan) {
  std::vector<std::vector<Choice>> choices(plan.uses.size());
  parallel_for(plan.uses.size(), [&](std::size_t i) {
    const WeightUse& use = plan.uses[i];
    if (is_free(use) && !plan.named[i]) choices[i] = free_choices(model, use);
    if (choices[i].empty()) {
      choices[i] = {choice(use, plan.assignments[i].encoding, plan.assignments[i].reason)};
    }
  });
  return choices;
}

}  // namespace subbyte::allocate
