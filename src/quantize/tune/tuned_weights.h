// All weights of a plan while some of them are tuned.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/byte_record.h"
#include "quantize/tune/tuned_matrix.h"
#include "quantize/tune/tuned_vector.h"
#include "quantize/weight_plan.h"

namespace subbyte::tune {

// Whether its scales, zero points and codes can be tuned.
bool is_matrix_of_codes(const StoredWeight& stored);

class TunedWeights {
 public:
  using Best = std::map<ValueId, std::shared_ptr<const PackedMatrix>>;

  // From what `plan` stores. `tuned`: what is, the rest stays; `form` of the matrices; `units`: of
  // each vector about the size of what it is beside.
  static Expected<TunedWeights> of(const Model& model, const WeightPlan& plan,
                                   const std::set<ValueId>& tuned, TunedMatrix::Form form,
                                   const std::map<ValueId, float>& units);

  bool has_matrices() const { return !matrices_.empty(); }
  // The numbers of a weight as it is stored now; nullopt for those that are as the model has them.
  std::optional<Tensor> values(ValueId v, calibrate::Machine& machine) const;
  // Adds to what the next step goes by.
  void add(ValueId v, const float* gradient, calibrate::Machine& machine);
  void step(std::size_t step, std::size_t steps, calibrate::Machine& machine);

  // What is now, is best.
  void keep_best(const Graph& graph, const WeightPlan& plan);
  // Where steps are few, none is to be wasted: those that lost go back to where least was lost, and
  // the next are half as long.
  void go_back();
  const Best& best() const { return best_; }

  // All of it between two steps. Reading goes on from there; false where it is of other weights,
  // and then nothing of this is of use any more.
  void write(RecordWriter& record) const;
  bool read(RecordReader& record, const WeightPlan& plan, calibrate::Machine& machine);

 private:
  explicit TunedWeights(TunedMatrix::Form form) : form_(form) {}
  bool goes_back() const { return form_ == TunedMatrix::Form::packed; }
  void keep_moved();

  TunedMatrix::Form form_;
  std::map<ValueId, TunedMatrix> matrices_;
  std::map<ValueId, TunedVector> vectors_;
  std::map<ValueId, Tensor> fixed_;
  // Where least was lost, and how much of the rates steps go by since then.
  std::map<ValueId, TunedMatrix::Moved> moved_matrices_;
  std::map<ValueId, std::vector<float>> moved_vectors_;
  float share_of_rates_ = 1;
  Best best_;
};

void write_best(RecordWriter& record, const TunedWeights::Best& best);
// nullopt where the bytes are not matrices as `plan` stores them.
std::optional<TunedWeights::Best> read_best(RecordReader& record, const WeightPlan& plan);

}  // namespace subbyte::tune
