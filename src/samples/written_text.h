// Text that a language model finds likely, and the caches that belong to it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "calibrate/executor.h"
#include "samples/input_content.h"

namespace subbyte {

// Where a model reads ids and where it says, for each of them, which comes next.
struct LanguageModel {
  std::size_t ids = 0;     // index of the input, [batch, steps]
  std::size_t logits = 0;  // index of the output, [batch, steps, rows of the table]
};

// Nullopt where no output is as wide as the table that the ids index.
std::optional<LanguageModel> find_language_model(const Model& model,
                                                 std::span<const InputContent> contents);

// Replaces the ids of the samples, but for the first of each, with what the model itself continues
// them with: each is drawn from the 64 that it finds likeliest there. All places are drawn at once,
// from what stood before them in the round before, with the same random number in every round: so
// after each round one more id at least is as if drawn after the final ones before it (Jacobi
// decoding; Santilli et al. 2023). Ends after `rounds`, or when nothing changes. False, and the
// samples as they were, where the logits of a place depend on ids after it.
Expected<bool> write_text(const Model& model, const LanguageModel& language,
                          std::int64_t table_rows, std::int64_t rounds, std::uint64_t seed,
                          std::vector<Sample>& samples, const ExecuteOptions& options);

// The other inputs of a run over one id after so many in the caches.
using InputsAfter = std::function<Expected<Sample>(std::int64_t past)>;

// The same, one id after the other: each is drawn after all before it, of which `caches`
// (find_cache_outputs()) hold what the model left. The samples, of a batch of 1, begin with nothing
// there. As much work as one run over all samples.
Expected<bool> write_text_on(const Model& model, const LanguageModel& language,
                             std::int64_t table_rows,
                             std::span<const std::pair<std::size_t, std::size_t>> caches,
                             const InputsAfter& inputs_after, std::uint64_t seed,
                             std::vector<Sample>& samples, const ExecuteOptions& options);

// For each input that is a cache the output that continues it: those of its rank, of sizes that are
// known the same, in their order. Empty where they are not as many as the caches.
std::vector<std::pair<std::size_t, std::size_t>> find_cache_outputs(
    const Model& model, std::span<const InputContent> contents, std::size_t logits);

}  // namespace subbyte
