#include "samples/written_text.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/scalar_math.h"
#include "calibrate/random.h"
#include "samples/number_tensor.h"

namespace subbyte {

namespace {

constexpr std::size_t kLikeliest = 64;
// Logits that differ by less are the same, whatever comes after.
constexpr float kSameLogit = 1e-4f;
constexpr double kLogitsTogether = 1 << 27;  // bytes

std::vector<std::int64_t> ids_of(const Sample& sample, const LanguageModel& language) {
  return *integer_values(sample[language.ids]);
}

void set_ids(Sample& sample, const LanguageModel& language, std::span<const std::int64_t> ids) {
  Tensor& tensor = sample[language.ids];
  tensor = tensor_of(tensor.dtype, tensor.dims, ids);
}

class Writer {
 public:
  Writer(const Model& model, const LanguageModel& language, std::int64_t rows, std::uint64_t seed,
         const ExecuteOptions& options)
      : model_(model), language_(language), rows_(rows), seed_(seed), options_(options) {}

  // Whether an id leaves the logits before it as they are.
  Expected<bool> looks_back_only(const Sample& sample) {
    std::vector<Sample> pair{sample, sample};
    std::vector<std::int64_t> ids = ids_of(sample, language_);
    if (ids.size() < 2) return false;
    ids.back() = (ids.back() + 1) % rows_;
    set_ids(pair[1], language_, ids);
    SUBBYTE_TRY(const auto outputs, execute(model_, pair, options_));
    const std::vector<float> a = floats_of(outputs[0][language_.logits]);
    const std::vector<float> b = floats_of(outputs[1][language_.logits]);
    const std::size_t before = a.size() / ids.size() * (ids.size() - 1);
    return std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(before), b.begin(),
                      [](float x, float y) { return std::abs(x - y) <= kSameLogit; });
  }

  // True where ids changed. So many samples at a time that their logits take little memory.
  Expected<bool> write_round(std::vector<Sample>& samples) {
    const double logits = static_cast<double>(samples.front()[language_.ids].elements()) *
                          static_cast<double>(rows_) * sizeof(float);
    const auto together =
        static_cast<std::size_t>(std::clamp(kLogitsTogether / std::max(logits, 1.0), 1.0, 1e6));
    bool changed = false;
    for (std::size_t first = 0; first < samples.size(); first += together) {
      const std::size_t count = std::min(together, samples.size() - first);
      SUBBYTE_TRY(const bool some, write_some(std::span(samples).subspan(first, count), first));
      changed |= some;
    }
    return changed;
  }

  // Ids one after the other, what is in the caches going on.
  Expected<void> write_on(std::span<const std::pair<std::size_t, std::size_t>> caches,
                          const InputsAfter& inputs_after, std::vector<Sample>& samples) {
    std::vector<std::vector<std::int64_t>> texts;
    std::vector<Random> random;
    for (const Sample& sample : samples) {
      random.emplace_back(seed_ + texts.size());
      texts.push_back(ids_of(sample, language_));
    }
    const std::size_t steps = texts.front().size();
    std::vector<std::vector<Tensor>> outputs(samples.size());
    for (std::size_t step = 0; step + 1 < steps; ++step) {
      SUBBYTE_TRY(const Sample others, inputs_after(static_cast<std::int64_t>(step)));
      std::vector<Sample> next(samples.size(), others);
      for (std::size_t s = 0; s < samples.size(); ++s) {
        if (next[s][language_.ids].elements() != 1) return fail("its steps cannot be one");
        set_ids(next[s], language_, std::span(texts[s]).subspan(step, 1));
        for (const auto& [cache, output] : caches) {
          if (step == 0) break;
          const Tensor& left = outputs[s][output];
          if (left.dims != others[cache].dims) return fail("its caches do not grow by steps");
          next[s][cache] = tensor_of(others[cache].dtype, left.dims, floats_of(left));
        }
      }
      SUBBYTE_TRY(outputs, execute(model_, next, options_));
      for (std::size_t s = 0; s < samples.size(); ++s) {
        const std::vector<float> logits = floats_of(outputs[s][language_.logits]);
        texts[s][step + 1] = draw(logits, random[s].between(0, 1));
      }
    }
    for (std::size_t s = 0; s < samples.size(); ++s) set_ids(samples[s], language_, texts[s]);
    return {};
  }

 private:
  // Of samples from `first` on.
  Expected<bool> write_some(std::span<Sample> samples, std::size_t first) {
    bool changed = false;
    SUBBYTE_TRY(const auto outputs, execute(model_, samples, options_));
    for (std::size_t s = 0; s < samples.size(); ++s) {
      const Tensor& logits = outputs[s][language_.logits];
      std::vector<std::int64_t> ids = ids_of(samples[s], language_);
      const std::vector<std::int64_t> before = ids;
      const auto steps = static_cast<std::size_t>(samples[s][language_.ids].dims.back());
      const std::int64_t width = logits.dims.back();
      std::vector<float> row(static_cast<std::size_t>(width));
      Random random(seed_ + first + s);
      for (std::size_t i = 0; i < ids.size(); ++i) {
        const float chance = random.between(0, 1);
        if ((i + 1) % steps == 0) continue;
        read_floats(logits, static_cast<std::int64_t>(i) * width, width, row.data());
        ids[i + 1] = draw(row, chance);
      }
      changed |= ids != before;
      set_ids(samples[s], language_, ids);
    }
    return changed;
  }

  // One of the likeliest, `chance` of the way through their probabilities.
  std::int64_t draw(std::span<const float> logits, float chance) {
    const std::size_t width = std::min(logits.size(), static_cast<std::size_t>(rows_));
    order_.resize(width);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    const std::size_t count = std::min(kLikeliest, width);
    // A NaN is never the likeliest, and equal ones are in order of the ids.
    const auto likelier = [&](std::size_t a, std::size_t b) {
      const float x = std::isnan(logits[a]) ? -HUGE_VALF : logits[a];
      const float y = std::isnan(logits[b]) ? -HUGE_VALF : logits[b];
      return x != y ? x > y : a < b;
    };
    std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(count),
                      order_.end(), likelier);
    std::vector<double> weights;
    for (std::size_t i = 0; i < count; ++i) {
      const double below = static_cast<double>(logits[order_[i]]) - logits[order_[0]];
      weights.push_back(below > -80 ? exp_of(below) : 0);
    }
    double rest = chance * std::accumulate(weights.begin(), weights.end(), 0.0);
    for (std::size_t i = 0; i < count; ++i) {
      rest -= weights[i];
      if (rest < 0) return static_cast<std::int64_t>(order_[i]);
    }
    return static_cast<std::int64_t>(order_[0]);
  }

  const Model& model_;
  const LanguageModel& language_;
  std::int64_t rows_;
  std::uint64_t seed_;
  const ExecuteOptions& options_;
  std::vector<std::size_t> order_;
};

bool may_continue(const Model& model, const Value& cache, const Value& output) {
  if (output.dtype != cache.dtype || !output.shape || output.shape->size() != cache.shape->size())
    return false;
  for (std::size_t axis = 0; axis < cache.shape->size(); ++axis) {
    const auto a = model.exprs.value((*cache.shape)[axis]);
    const auto b = model.exprs.value((*output.shape)[axis]);
    if (a && b && *a != *b) return false;
  }
  return true;
}

}  // namespace

std::optional<LanguageModel> find_language_model(const Model& model,
                                                 std::span<const InputContent> contents) {
  const Graph& graph = model.main();
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const auto& ids = graph.values[graph.inputs[i]].shape;
    if (contents[i].content != Content::tokens || ids->size() != 2) continue;
    for (std::size_t o = 0; o < graph.outputs.size(); ++o) {
      const Value& output = graph.values[graph.outputs[o]];
      if (!is_float(output.dtype) || !output.shape || output.shape->size() != 3) continue;
      // Some tables have rows that no output stands for, or are padded.
      const auto width = model.exprs.value(output.shape->back());
      const std::int64_t rows = contents[i].limit;
      if (width && *width >= rows - rows / 8 && *width <= rows + rows / 8 &&
          (*output.shape)[1] == (*ids)[1])
        return LanguageModel{i, o};
    }
  }
  return std::nullopt;
}

Expected<bool> write_text(const Model& model, const LanguageModel& language,
                          std::int64_t table_rows, std::int64_t rounds, std::uint64_t seed,
                          std::vector<Sample>& samples, const ExecuteOptions& options) {
  Writer writer(model, language, table_rows, seed, options);
  SUBBYTE_TRY(const bool looks_back_only, writer.looks_back_only(samples.front()));
  if (!looks_back_only) return false;
  for (std::int64_t round = 0; round < rounds; ++round) {
    SUBBYTE_TRY(const bool changed, writer.write_round(samples));
    if (!changed) break;
  }
  return true;
}

Expected<bool> write_text_on(const Model& model, const LanguageModel& language,
                             std::int64_t table_rows,
                             std::span<const std::pair<std::size_t, std::size_t>> caches,
                             const InputsAfter& inputs_after, std::uint64_t seed,
                             std::vector<Sample>& samples, const ExecuteOptions& options) {
  Writer writer(model, language, table_rows, seed, options);
  SUBBYTE_TRY(const bool looks_back_only, writer.looks_back_only(samples.front()));
  if (!looks_back_only) return false;
  SUBBYTE_CHECK_OK(writer.write_on(caches, inputs_after, samples));
  return true;
}

std::vector<std::pair<std::size_t, std::size_t>> find_cache_outputs(
    const Model& model, std::span<const InputContent> contents, std::size_t logits) {
  const Graph& graph = model.main();
  std::vector<std::size_t> caches, outputs;
  for (std::size_t i = 0; i < contents.size(); ++i)
    if (contents[i].content == Content::cache) caches.push_back(i);
  if (caches.empty()) return {};
  for (std::size_t o = 0; o < graph.outputs.size(); ++o) {
    const Value& output = graph.values[graph.outputs[o]];
    const Value& cache = graph.values[graph.inputs[caches.front()]];
    if (o != logits && output.shape && output.shape->size() == cache.shape->size())
      outputs.push_back(o);
  }
  if (outputs.size() != caches.size()) return {};
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0; i < caches.size(); ++i) {
    const Value& cache = graph.values[graph.inputs[caches[i]]];
    if (!may_continue(model, cache, graph.values[graph.outputs[outputs[i]]])) return {};
    pairs.emplace_back(caches[i], outputs[i]);
  }
  return pairs;
}

}  // namespace subbyte
