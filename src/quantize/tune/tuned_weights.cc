#include "quantize/tune/tuned_weights.h"

#include <algorithm>
#include <utility>

#include "quantize/kept_matrix.h"
#include "quantize/pack_weight.h"
#include "quantize/tune/steps.h"

namespace subbyte::tune {
namespace {

// Codes of so many bits and fewer are tuned: at more, rounding is no longer what is lost most.
constexpr int kBitsOfTunedCodes = 3;
// At first; docs/quantization.md says what others do.
constexpr Rates kRates{.scale = 3e-4f, .zero = 2e-3f, .position = 1e-3f, .number = 2e-4f};
// Where codes stay, and steps are few.
constexpr Rates kRatesOfFewSteps{.scale = 1.5e-3f, .zero = 4e-3f, .position = 0, .number = 7e-4f};

std::vector<float> exact_of(const Graph& graph, const StoredWeight& stored) {
  std::vector<float> exact(static_cast<std::size_t>(stored.rows * stored.k));
  row_reader(*graph.constant(stored.value), stored.order)(0, stored.rows, exact.data());
  return exact;
}

}  // namespace

bool is_matrix_of_codes(const StoredWeight& stored) {
  const auto* const affine = std::get_if<AffineEncoding>(&stored.encoding);
  return affine != nullptr && affine->scale_bits == 16 &&
         !std::holds_alternative<CodesOfGrid>(stored.source);
}

Expected<TunedWeights> TunedWeights::of(const Model& model, const WeightPlan& plan,
                                        const std::set<ValueId>& tuned, TunedMatrix::Form form,
                                        const std::map<ValueId, float>& units) {
  const Graph& graph = model.main();
  TunedWeights all(form);
  for (const WeightUse& use : plan.uses) {
    const ValueId v = use.value;
    const StoredWeight& stored = plan.stored.at(v);
    const auto& dims = graph.constant(v)->dims;
    const bool is_tuned = tuned.contains(v);
    if (!is_tuned && value_bits(stored.encoding) == 32 &&
        !std::holds_alternative<ChosenNumbers>(stored.source))
      continue;
    if (std::holds_alternative<IntegerEncoding>(stored.encoding)) continue;
    SUBBYTE_TRY(const PackedMatrix matrix, pack_weight(model, stored));
    if (!is_tuned) {
      all.fixed_.emplace(v, unpacked_tensor(matrix, stored.order, dims));
    } else if (is_matrix_of_codes(stored)) {
      const bool many = value_bits(stored.encoding) > kBitsOfTunedCodes;
      const auto its_form =
          form == TunedMatrix::Form::codes && many ? TunedMatrix::Form::numbers : form;
      std::vector<float> exact;
      if (its_form == TunedMatrix::Form::codes) exact = exact_of(graph, stored);
      all.matrices_.emplace(
          v, TunedMatrix(matrix, source_layout(stored.order, dims), dims, its_form, exact.data()));
    } else {
      all.vectors_.emplace(
          v, TunedVector(stored, unpacked_tensor(matrix, stored.order, dims), units.at(v)));
    }
  }
  all.keep_moved();
  return all;
}

std::optional<Tensor> TunedWeights::values(ValueId v, calibrate::Machine& machine) const {
  if (const auto matrix = matrices_.find(v); matrix != matrices_.end())
    return matrix->second.values(machine);
  if (const auto vector = vectors_.find(v); vector != vectors_.end())
    return vector->second.values();
  const auto fixed = fixed_.find(v);
  return fixed == fixed_.end() ? std::optional<Tensor>() : fixed->second;
}

void TunedWeights::add(ValueId v, const float* gradient, calibrate::Machine& machine) {
  if (const auto matrix = matrices_.find(v); matrix != matrices_.end())
    matrix->second.add(gradient, machine);
  else
    vectors_.at(v).add(gradient);
}

void TunedWeights::step(std::size_t step, std::size_t steps, calibrate::Machine& machine) {
  const Rates rates =
      rates_at(step, steps, goes_back() ? kRatesOfFewSteps : kRates, share_of_rates_);
  // From some step on there is nothing to make up for.
  const Correction correction = Correction::of(static_cast<int>(std::min<std::size_t>(step, 4096)));
  for (auto& [v, matrix] : matrices_) matrix.step(rates, correction, machine);
  for (auto& [v, vector] : vectors_) vector.step(rates, correction);
}

void TunedWeights::keep_best(const Graph& graph, const WeightPlan& plan) {
  best_.clear();
  for (const auto& [v, matrix] : matrices_)
    best_.emplace(v, std::make_shared<const PackedMatrix>(
                         matrix.packed(exact_of(graph, plan.stored.at(v)).data())));
  for (const auto& [v, vector] : vectors_)
    best_.emplace(v, std::make_shared<const PackedMatrix>(vector.packed()));
  keep_moved();
}

void TunedWeights::go_back() {
  if (!goes_back()) return;
  share_of_rates_ /= 2;
  for (auto& [v, matrix] : matrices_) matrix.go_back(moved_matrices_.at(v));
  for (auto& [v, vector] : vectors_) vector.go_back(moved_vectors_.at(v));
}

void TunedWeights::keep_moved() {
  if (!goes_back()) return;
  for (const auto& [v, matrix] : matrices_) moved_matrices_[v] = matrix.moved();
  for (const auto& [v, vector] : vectors_) moved_vectors_[v] = vector.moved();
}

void TunedWeights::write(RecordWriter& record) const {
  record.number(share_of_rates_);
  for (const auto& [v, matrix] : matrices_) matrix.write(record);
  for (const auto& [v, vector] : vectors_) vector.write(record);
  for (const auto& [v, moved] : moved_matrices_) {
    record.array(moved.scales);
    record.array(moved.zeros);
  }
  for (const auto& [v, moved] : moved_vectors_) record.array(moved);
  write_best(record, best_);
}

bool TunedWeights::read(RecordReader& record, const WeightPlan& plan, calibrate::Machine& machine) {
  bool fits = true;
  share_of_rates_ = record.number<float>();
  for (auto& [v, matrix] : matrices_) fits = fits && matrix.read(record, machine);
  for (auto& [v, vector] : vectors_) fits = fits && vector.read(record);
  const auto read_moved = [&](std::vector<float>& moved) {
    auto read = record.array<float>();
    fits = fits && read.size() == moved.size();
    moved = std::move(read);
  };
  for (auto& [v, moved] : moved_matrices_) {
    read_moved(moved.scales);
    read_moved(moved.zeros);
  }
  for (auto& [v, moved] : moved_vectors_) read_moved(moved);
  auto best = read_best(record, plan);
  if (best) best_ = std::move(*best);
  return fits && best;
}

void write_best(RecordWriter& record, const TunedWeights::Best& best) {
  record.number(static_cast<std::uint64_t>(best.size()));
  for (const auto& [v, matrix] : best) {
    record.number(v);
    write_matrix(record, *matrix);
  }
}

std::optional<TunedWeights::Best> read_best(RecordReader& record, const WeightPlan& plan) {
  TunedWeights::Best best;
  for (auto left = record.number<std::uint64_t>(); left > 0; --left) {
    const auto v = record.number<ValueId>();
    const auto stored = plan.stored.find(v);
    if (stored == plan.stored.end()) return std::nullopt;
    auto matrix = read_matrix(record, stored->second);
    if (!matrix) return std::nullopt;
    best.emplace(v, std::make_shared<const PackedMatrix>(std::move(*matrix)));
  }
  return best;
}

}  // namespace subbyte::tune
