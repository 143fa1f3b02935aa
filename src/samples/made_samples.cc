#include "samples/made_samples.h"

#include <algorithm>
#include <optional>
#include <set>

#include "calibrate/random.h"
#include "samples/input_content.h"
#include "samples/likely_sizes.h"
#include "samples/made_inputs.h"
#include "samples/made_numbers.h"
#include "samples/made_pictures.h"
#include "samples/number_tensor.h"
#include "samples/work.h"
#include "samples/written_text.h"

namespace subbyte {

namespace {

// Tried one after the other, until the model runs: the first are sizes that say
// something about a model and cost little, the others serve those that need
// more, or less.
constexpr SizeWishes kAttempts[] = {
    {.steps = 32, .past = 32, .side = 128, .sound = 8000, .frames = 128},
    // Some take several steps only where the cache is empty.
    {.steps = 32, .past = 0, .side = 128, .sound = 8000, .frames = 128},
    {.steps = 8, .past = 8, .side = 64, .sound = 4000, .frames = 64},
    {.steps = 64, .past = 64, .side = 256, .sound = 16000, .frames = 512},
    {.steps = 128, .past = 128, .side = 512, .sound = 48000, .frames = 3000},
    {.steps = 1, .past = 1, .side = 32, .sound = 512, .frames = 16},
};

// Multiply-adds that a model may take to write text, and how often it reads
// what it wrote.
constexpr double kWritingWork = 2e11, kFewestRounds = 3, kMostRounds = 32;

// Ids of a text that a model is tuned on: the first of all is like no other
// (Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks"),
// and should not count for much. So many times as many texts are tuned on as
// are held out.
constexpr std::int64_t kTunedSteps = 128;
constexpr std::size_t kTunedTexts = 3;

// Multiply-adds of samples that are made for the sake of their kinds alone.
constexpr double kLittleWork = 1e9;

// Tuning and held-out samples are of streams apart.
std::uint64_t seed_of(std::uint64_t seed, std::uint64_t stream, std::size_t index) {
  Random random(seed + (stream << 62) + (static_cast<std::uint64_t>(index) << 32));
  return random.next();
}

const char* name_of(Content content) {
  switch (content) {
    case Content::image:
      return "lettered pages, natural pictures and noise";
    case Content::field:
      return "planes of natural spectrum";
    case Content::waveform:
      return "speech-like and other sounds";
    case Content::spectrogram:
      return "spectrograms of speech-like and other sounds";
    case Content::series:
      return "measured-like series";
    case Content::tokens:
      return "tokens of the model's table";
    case Content::cache:
    case Content::numbers:
      return "random numbers";
    default:
      return nullptr;
  }
}

class Making {
 public:
  Making(const Model& model, const SampleOptions& options)
      : model_(model), options_(options), contents_(input_contents(model)) {
    for (std::size_t i = 0; i < contents_.size(); ++i) {
      const Value& input = model.main().values[model.main().inputs[i]];
      InputContent& content = contents_[i];
      const auto scale = options.image_scales.find(input.name);
      if (scale != options.image_scales.end()) content.scale = scale->second;
      const auto known = options.statistics.find(input.name);
      const bool needed = is_of_quantities(content.content) && !content.standardised.tells();
      if (needed && known != options.statistics.end()) content.standardised = known->second;
      if (may_be_anything(input, content)) {
        kinds_ = kKindsOfNumbers;
      } else if (content.content == Content::image && kinds_ == 1) {
        kinds_ = kKindsOfImages;
      }
    }
  }

  Expected<SampleSet> run() {
    SUBBYTE_CHECK_OK(find_sizes());
    language_ = find_language_model(model_, contents_);
    if (language_) start_empty();
    SampleSet set;
    set.work_each = multiply_adds(model_, sizes_);
    std::size_t tuning = options_.tuning, held_out = options_.held_out;
    if (kinds_ > 1) {
      const double all = set.work_each * static_cast<double>(tuning + held_out);
      std::size_t times = options_.more_of_kinds;
      while (times > 1 && all * static_cast<double>(times) > kLittleWork) --times;
      tuning *= times;
      held_out *= times;
    }
    // Texts hold many ids, of which the model decides something after each: few are enough.
    const std::size_t share = starts_empty_ ? kTunedTexts : 1;
    while (std::max(tuning, held_out) > 1 &&
           set.work_each * static_cast<double>(tuning + held_out) > options_.work)
      --(tuning > share * held_out || held_out <= 1 ? tuning : held_out);
    SUBBYTE_CHECK_OK(make(0, tuning, set.tuning));
    SUBBYTE_CHECK_OK(make(1, held_out, set.held_out));
    if (kinds_ > 1) {
      for (std::size_t i = 0; i < tuning; ++i) set.tuning_kinds.push_back(i % kinds_);
      for (std::size_t i = 0; i < held_out; ++i) set.held_out_kinds.push_back(i % kinds_);
    }
    SUBBYTE_CHECK_OK(write(set));
    set.written = written_;
    set.made_of = text();
    return set;
  }

 private:
  // Of a language model: what it writes itself, after nothing, and in every
  // other sample half of it in the caches.
  Expected<void> write(SampleSet& set) {
    if (!language_) return {};
    std::vector<Sample> samples = set.tuning;
    if (samples.empty() && set.held_out.empty()) return {};
    samples.insert(samples.end(), set.held_out.begin(), set.held_out.end());
    if (starts_empty_) {
      const auto caches = find_cache_outputs(model_, contents_, language_->logits);
      SUBBYTE_TRY(written_,
                  write_text_on(model_, *language_, contents_[language_->ids].limit, caches,
                                inputs_after(), options_.seed, samples, execute_options()));
    } else {
      SUBBYTE_CHECK_OK(write_in_rounds(set, samples));
    }
    if (!written_) return {};
    if (starts_empty_) SUBBYTE_CHECK_OK(move_half_into_caches(*language_, samples));
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::size_t tuning = set.tuning.size();
      (i < tuning ? set.tuning[i] : set.held_out[i - tuning]) = std::move(samples[i]);
    }
    return {};
  }

  // Without caches.
  Expected<void> write_in_rounds(const SampleSet& set, std::vector<Sample>& samples) {
    const double each_round = set.work_each * static_cast<double>(samples.size());
    const auto rounds = static_cast<std::int64_t>(
        std::clamp(kWritingWork / std::max(each_round, 1.0), kFewestRounds, kMostRounds));
    SUBBYTE_TRY(written_, write_text(model_, *language_, contents_[language_->ids].limit, rounds,
                                     options_.seed, samples, execute_options()));
    return {};
  }

  // Numbers in a cache that no text left there lead nowhere, so text starts
  // without any if it can, and the model writes one id after the other.
  void start_empty() {
    const auto past = cache_length(model_);
    if (!past || find_cache_outputs(model_, contents_, language_->logits).empty()) return;
    SizeWishes wishes = wishes_;
    wishes.past = 0;
    if (options_.tuning > 0) wishes.steps = std::max(wishes.steps, kTunedSteps);
    const std::vector<std::int64_t> empty = likely_sizes(model_, contents_, wishes);
    if (empty[*past] != 0) return;
    const auto sample = made_inputs(model_, contents_, empty, seed_of(options_.seed, 0, 0), 0);
    if (!sample || (*sample)[language_->ids].dims.front() != 1 ||
        !execute(model_, std::span(&*sample, 1), execute_options()))
      return;
    sizes_ = empty;
    wishes_ = wishes;
    starts_empty_ = true;
  }

  // All but ids and caches of a run over one more id.
  InputsAfter inputs_after() const {
    std::vector<InputContent> contents = contents_;
    for (InputContent& content : contents)
      if (content.content == Content::cache) content.content = Content::padding;  // zeros
    return [this, contents = std::move(contents)](std::int64_t past) {
      SizeWishes wishes = wishes_;
      wishes.past = past;
      wishes.steps = 1;
      return made_inputs(model_, contents, likely_sizes(model_, contents_, wishes), options_.seed,
                         0);
    };
  }

  // The first half of every other text becomes what is in its caches, as the
  // model leaves it there.
  Expected<void> move_half_into_caches(const LanguageModel& language,
                                       std::vector<Sample>& samples) {
    const auto pairs = find_cache_outputs(model_, contents_, language.logits);
    const std::int64_t steps = samples.front()[language.ids].dims.back();
    if (pairs.empty() || steps < 2 || samples.front()[language.ids].dims.front() != 1) return {};
    SizeWishes wishes = wishes_;
    wishes.past = 0;
    wishes.steps = steps / 2;
    const std::vector<std::int64_t> first = likely_sizes(model_, contents_, wishes);
    wishes.past = wishes.steps;
    const std::vector<std::int64_t> second = likely_sizes(model_, contents_, wishes);
    std::vector<Sample> halves, rests;
    for (std::size_t i = 1; i < samples.size(); i += 2) {
      const std::uint64_t seed = seed_of(options_.seed, 2, i);
      auto half = made_inputs(model_, contents_, first, seed, i);
      auto rest = made_inputs(model_, contents_, second, seed, i);
      if (!half || !rest) return {};
      const Tensor& ids = samples[i][language.ids];
      for (auto* const part : {&*half, &*rest})
        if (2 * (*part)[language.ids].elements() != ids.elements()) return {};
      (*half)[language.ids] = part_of(ids, 0, (*half)[language.ids].dims);
      (*rest)[language.ids] = part_of(ids, 1, (*rest)[language.ids].dims);
      halves.push_back(std::move(*half));
      rests.push_back(std::move(*rest));
    }
    const auto outputs = execute(model_, halves, execute_options());
    if (!outputs) return {};
    for (std::size_t i = 0; i < rests.size(); ++i) {
      for (const auto& [cache, output] : pairs) {
        const Tensor& left = (*outputs)[i][output];
        if (left.dims != rests[i][cache].dims) return {};
        rests[i][cache] = tensor_of(rests[i][cache].dtype, left.dims, floats_of(left));
      }
    }
    if (!execute(model_, rests, execute_options())) return {};
    for (std::size_t i = 0; i < rests.size(); ++i) samples[2 * i + 1] = std::move(rests[i]);
    return {};
  }

  // The first or the second half of the elements.
  static Tensor part_of(const Tensor& tensor, std::size_t half, std::vector<std::int64_t> dims) {
    Tensor part = tensor;
    part.dims = std::move(dims);
    const std::size_t bytes = tensor.data.size() / 2;
    part.data = tensor.data.subspan(half * bytes, bytes);
    return part;
  }

  // Sizes at which the model runs.
  Expected<void> find_sizes() {
    Expected<void> failure;
    std::set<std::vector<std::int64_t>> tried;
    for (const SizeWishes& wishes : kAttempts) {
      sizes_ = likely_sizes(model_, contents_, wishes);
      if (!tried.insert(sizes_).second) continue;
      auto sample = made_inputs(model_, contents_, sizes_, seed_of(options_.seed, 0, 0), 0);
      if (!sample) {
        if (failure) failure = tl::unexpected(std::move(sample.error()));
        continue;
      }
      const auto outputs = execute(model_, std::span(&*sample, 1), execute_options());
      wishes_ = wishes;
      if (outputs) return {};
      if (outputs.error().kind == ErrorKind::cancelled) return tl::unexpected(outputs.error());
      if (failure) failure = tl::unexpected(outputs.error());
    }
    return failure;
  }

  ExecuteOptions execute_options() const {
    ExecuteOptions options;
    options.threads = options_.threads;
    options.cancelled = options_.cancelled;
    return options;
  }

  Expected<void> make(std::uint64_t stream, std::size_t count, std::vector<Sample>& samples) const {
    for (std::size_t i = 0; i < count; ++i) {
      SUBBYTE_TRY(Sample sample,
                  made_inputs(model_, contents_, sizes_, seed_of(options_.seed, stream, i), i));
      samples.push_back(std::move(sample));
    }
    return {};
  }

  std::string text() const {
    std::vector<std::string> names;
    for (const InputContent& content : contents_) {
      const char* const name = written_ && content.content == Content::tokens
                                   ? "text that the model writes itself"
                                   : name_of(content.content);
      if (written_ && starts_empty_ && content.content == Content::cache) continue;
      if (name != nullptr && std::ranges::find(names, name) == names.end())
        names.emplace_back(name);
    }
    if (names.empty()) return "the only values that fit";
    std::string result;
    for (const std::string& name : names) result += (result.empty() ? "" : "; ") + name;
    return result;
  }

  const Model& model_;
  const SampleOptions& options_;
  std::vector<InputContent> contents_;
  std::vector<std::int64_t> sizes_;
  SizeWishes wishes_;
  std::size_t kinds_ = 1;
  std::optional<LanguageModel> language_;
  bool starts_empty_ = false, written_ = false;
};

}  // namespace

Expected<SampleSet> make_samples(const Model& model, const SampleOptions& options) {
  return Making(model, options).run();
}

}  // namespace subbyte
