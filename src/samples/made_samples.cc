#include "samples/made_samples.h"

#include <algorithm>
#include <set>

#include "calibrate/random.h"
#include "samples/input_content.h"
#include "samples/likely_sizes.h"
#include "samples/made_inputs.h"
#include "samples/work.h"

namespace subbyte {

namespace {

// Tried one after the other, until the model runs: the first are sizes that say something about a
// model and cost little, the others serve those that need more, or less.
constexpr SizeWishes kAttempts[] = {
    {.steps = 32, .side = 128, .sound = 8000, .frames = 128},
    {.steps = 8, .side = 64, .sound = 4000, .frames = 64},
    {.steps = 64, .side = 256, .sound = 16000, .frames = 512},
    {.steps = 128, .side = 512, .sound = 48000, .frames = 3000},
    {.steps = 1, .side = 32, .sound = 512, .frames = 16},
};

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
      : model_(model), options_(options), contents_(input_contents(model)) {}

  Expected<SampleSet> run() {
    SUBBYTE_CHECK_OK(find_sizes());
    SampleSet set;
    set.work_each = multiply_adds(model_, sizes_);
    set.made_of = text();
    std::size_t tuning = std::max<std::size_t>(1, options_.tuning);
    std::size_t held_out = std::max<std::size_t>(1, options_.held_out);
    while (tuning + held_out > 2 &&
           set.work_each * static_cast<double>(tuning + held_out) > options_.work)
      --(tuning > held_out ? tuning : held_out);
    SUBBYTE_CHECK_OK(make(0, tuning, set.tuning));
    SUBBYTE_CHECK_OK(make(1, held_out, set.held_out));
    return set;
  }

 private:
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
      const char* const name = name_of(content.content);
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
};

}  // namespace

Expected<SampleSet> make_samples(const Model& model, const SampleOptions& options) {
  return Making(model, options).run();
}

}  // namespace subbyte
