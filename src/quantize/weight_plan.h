// How every weight of a model is stored, and why: the one owner of that decision.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"
#include "quantize/assign.h"
#include "quantize/measure.h"
#include "quantize/stored_weight.h"

namespace subbyte {

struct PrecisionPolicy {
  // For every weight; nullopt is "mixed": attention 8 bits, feed-forward 4, embeddings 8, heads
  // float16, convolutions 4, anything else 8.
  std::optional<Precision> precision = {};
  // The mixed-precision file (quantize/mixed.h); nullopt where there is none.
  std::optional<std::string_view> rules = {};
};
// Of a name of --precision: one of precision_names(), or "mixed".
std::optional<PrecisionPolicy> policy_from_name(std::string_view name);

// At least kPromised of the parameters are stored at so many bits or fewer, or as a rule of the
// user's says.
inline constexpr double kPromised = 0.95;
struct BrokenPromise {
  int bits = 0;
  double share = 0;
  std::vector<std::size_t> wider;  // indices of uses, those of most parameters first
};

struct WeightPlan {
  std::vector<WeightUse> uses;
  std::vector<Assignment> assignments;  // one for each use
  // As they were before the smallest were kept wider, and which a rule of the user's names.
  std::vector<Assignment> as_asked;
  std::vector<bool> named;
  std::map<ValueId, StoredWeight> stored;
  std::string model_type;  // transformer, convolutional, or other
  std::optional<BrokenPromise> broken;
  // What became of weights that arrived quantized and do not stay on their grid; sentences.
  std::vector<std::string> requantized;
  // Rules of the user's for one weight that cannot all be obeyed; sentences.
  std::vector<std::string> told;
};

// Of all uses.
std::int64_t parameters_of(const WeightPlan& plan);

// Of a model in standard operators, every shape known. Errors are those of the rules, and of
// `measure`, which reads every weight once.
Expected<WeightPlan> plan_weights(const Model& model, const PrecisionPolicy& policy,
                                  const MeasureWeights& measure);
Expected<WeightPlan> plan_weights(const Model& model, const PrecisionPolicy& policy);

// Stores the weight of a use another way; one whose encoding is that which it arrived with keeps
// its codes.
void store_as(const Model& model, WeightPlan& plan, std::size_t use, Assignment assignment);
// Of the weights as stored, each part aligned.
std::int64_t stored_bytes(const WeightPlan& plan);
// Finds anew whether `precision` keeps what it promises.
void judge_promise(WeightPlan& plan, Precision precision);

// A sentence for each weight that is stored wider than asked, in the order of the uses.
std::vector<std::string> widening_notes(const Model& model, const WeightPlan& plan);
// A sentence for each output that is a weight, or some of its elements, stored narrower than
// float32: it gives what the module computes with.
std::vector<std::string> output_notes(const Model& model, const WeightPlan& plan);
// What the user is told of a promise that is not kept: the tensors that are stored wider, and why.
std::string promise_text(const Model& model, const WeightPlan& plan, const BrokenPromise& broken);

}  // namespace subbyte
