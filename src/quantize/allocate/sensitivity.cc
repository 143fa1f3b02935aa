#include "quantize/allocate/sensitivity.h"

#include <algorithm>
#include <map>

#include "calibrate/batches.h"
#include "quantize/allocate/loss.h"
#include "quantize/kept_matrix.h"
#include "samples/written_text.h"

namespace subbyte::allocate {
namespace {

// Multiply-adds that measuring may take: a third of what calibration may.
double work_of(Effort effort) {
  switch (effort) {
    case Effort::fast:
      return 7e9;
    case Effort::good:
      return 1e11;
    case Effort::best:
      return 1e12;
  }
  return 0;
}

// Of a language model, whose tensors differ the most in what they lose: so many a parameter.
double work_of_text(const Model& model, Effort effort) {
  if (effort == Effort::fast || !find_language_model(model, input_contents(model))) return 0;
  double parameters = 0;
  for (const Value& value : model.main().values)
    if (value.constant) parameters += static_cast<double>(value.constant->elements());
  return (effort == Effort::best ? 9e5 : 9e4) * parameters;
}

// More samples change the order of weights little; made pictures repeat their kinds after twelve.
constexpr std::size_t kMostSamples = 24, kFewestSamples = 2;
constexpr std::size_t kMostTexts = 2;
constexpr std::int64_t kMemory = std::int64_t{1} << 28, kMemoryOfText = std::int64_t{3} << 28;

// The first of the samples, at most so many, that fit the memory.
std::size_t fitting(const Model& model, std::span<const Sample> samples, double most,
                    std::int64_t memory) {
  const auto count = std::min(samples.size(), static_cast<std::size_t>(most));
  const auto end = static_cast<NodeId>(model.main().nodes.size());
  return calibrate::samples_within(model, samples.first(count), end, true, memory);
}

// The questions about the weights that each node is the first to read.
std::map<NodeId, std::vector<std::size_t>> by_first_reader(
    const Graph& graph, std::span<const StoredWeight> questions) {
  std::map<ValueId, std::vector<std::size_t>> of_weight;
  for (std::size_t q = 0; q < questions.size(); ++q) of_weight[questions[q].value].push_back(q);
  std::map<NodeId, std::vector<std::size_t>> by_reader;
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId input : graph.nodes[n].inputs) {
      const auto found = of_weight.find(input);
      if (found == of_weight.end()) continue;
      auto& here = by_reader[n];
      here.insert(here.end(), found->second.begin(), found->second.end());
      of_weight.erase(found);
    }
  }
  return by_reader;
}

// The measured losses of the questions that one node is asked, by them.
class KeptLosses {
 public:
  KeptLosses(const MeasureOptions& options, std::size_t samples)
      : checkpoint_(options.checkpoint.of("losses").of(
            std::to_string(samples) + " " + std::to_string(options.shift_taken) + " " +
            std::to_string(options.running.kinds.size()))) {}

  std::optional<std::vector<double>> find(std::span<const StoredWeight> questions,
                                          std::span<const std::size_t> asked) const {
    if (!checkpoint_.keeps()) return std::nullopt;
    const auto kept = checkpoint_.find(name_of(questions, asked));
    if (!kept) return std::nullopt;
    RecordReader record(*kept);
    auto losses = record.array<double>();
    if (!record.is_whole() || losses.size() != asked.size()) return std::nullopt;
    return losses;
  }

  Expected<void> keep(std::span<const StoredWeight> questions, std::span<const std::size_t> asked,
                      std::span<const double> losses) const {
    if (!checkpoint_.keeps()) return {};
    std::vector<double> here;
    for (const std::size_t q : asked) here.push_back(losses[q]);
    RecordWriter record;
    record.array(here);
    return checkpoint_.keep(name_of(questions, asked), record.bytes());
  }

 private:
  static std::string name_of(std::span<const StoredWeight> questions,
                             std::span<const std::size_t> asked) {
    std::string name;
    for (const std::size_t q : asked) name += record_of(questions[q]);
    return name;
  }

  Checkpoint checkpoint_;
};

}  // namespace

std::span<const std::size_t> kinds_of(std::span<const std::size_t> kinds, std::size_t samples) {
  return kinds.first(std::min(samples, kinds.size()));
}

std::size_t measured_samples(const Model& model, std::span<const Sample> samples, double work_each,
                             std::size_t questions, Effort effort, bool few_texts) {
  const double of_one = work_each * (static_cast<double>(questions) / 2 + 2);
  const auto within = [&](double work, std::size_t samples_at_most) {
    const auto most = static_cast<double>(samples_at_most);
    return of_one > 0 ? std::min(work / of_one, most) : most;
  };
  const std::size_t count = fitting(model, samples, within(work_of(effort), kMostSamples), kMemory);
  if (count >= kFewestSamples) return count;
  if (!few_texts) return 0;
  return fitting(model, samples, within(work_of_text(model, effort), kMostTexts), kMemoryOfText);
}

Expected<std::vector<double>> measure_each(const Model& model,
                                           std::span<const StoredWeight> questions,
                                           std::span<const Sample> samples, RoundedWeights& rounded,
                                           const MeasureOptions& options) {
  const Graph& graph = model.main();
  const ExecuteOptions plain{.threads = options.running.threads,
                             .cancelled = options.running.cancelled};
  const auto contents = output_contents(model);
  SUBBYTE_TRY(const auto wanted, execute(model, samples, plain));
  SUBBYTE_TRY(auto exact, Execution::begin(model, samples, plain));
  const float taken = options.shift_taken * share_of_biases(model);
  std::vector<double> losses(questions.size(), 0);
  const KeptLosses kept(options, samples.size());
  std::size_t done = 0;
  for (const auto& [n, asked] : by_first_reader(graph, questions)) {
    if (const auto before = kept.find(questions, asked)) {
      for (std::size_t i = 0; i < asked.size(); ++i) losses[asked[i]] = (*before)[i];
      done += asked.size();
      continue;
    }
    while (exact.next() < n) SUBBYTE_CHECK_OK(exact.step());
    const Execution before = exact.fork(plain);
    SUBBYTE_CHECK_OK(exact.step());
    for (const std::size_t q : asked) {
      const StoredWeight& stored = questions[q];
      ExecuteOptions with = plain;
      with.replace = [&](ValueId v) -> Expected<std::optional<Tensor>> {
        if (v != stored.value) return std::nullopt;
        return rounded.find(stored);
      };
      Execution run = before.fork(std::move(with));
      SUBBYTE_CHECK_OK(run.step());
      correct_bias(graph, {{stored.value, stored}}, n, options.running.kinds, taken, exact, run);
      while (run.next() < graph.nodes.size()) SUBBYTE_CHECK_OK(run.step());
      SUBBYTE_TRY(const auto found, run.outputs());
      losses[q] = output_loss_of(contents, wanted, found, options.running.kinds);
      if (options.progress) options.progress(++done, questions.size());
    }
    SUBBYTE_CHECK_OK(kept.keep(questions, asked, losses));
  }
  return losses;
}

}  // namespace subbyte::allocate
