// The packed weights: quantizing, the files they go to, and their hashes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "graph/graph.h"
#include "plan/plan.h"
#include "plan/plan_json.h"
#include "quantize/codec.h"

namespace subbyte {

// Bytes that each entry of `chunks` is the SHA-256 of (the last may be fewer): the runtime checks
// them as they arrive.
inline constexpr std::int64_t kChunkBytes = std::int64_t{4} << 20;

struct WeightsFile {
  std::string name;  // without folder
  std::int64_t bytes = 0;
  std::string sha256;
  std::vector<std::string> chunks;
};

// A matrix in the files: a weight of the plan, or one of those that are joined in it.
struct PackedEntry {
  std::size_t weight = 0;  // of the plan
  std::size_t member = 0;  // of members_of() that weight
  double sqnr_db = 0;
};

struct PackedWeights {
  std::vector<WeightsFile> files;
  WeightPlaces places;               // by weight of the plan
  std::vector<PackedEntry> entries;  // in the order of the files
};

// Receives the finished bytes of one file, in order; `name` is final only at its end.
class WeightsSink {
 public:
  virtual ~WeightsSink() = default;
  // A file of `bytes` bytes in all.
  virtual Expected<void> begin(std::int64_t bytes) = 0;
  virtual Expected<void> write(Bytes bytes) = 0;
  // The file's SHA-256 is known: gives it its name and keeps it.
  virtual Expected<std::string> end(const std::string& sha256) = 0;
};

// Quantizes the weights of a plan one after the other and writes them; a new file begins where the
// next weight would take the file past `shard_bytes` (0: one file). Memory: the largest packed
// weight.
// Called after each weight; where it gives false the work ends with an error of the kind cancelled.
using WeightProgress = std::function<bool(std::size_t done, std::size_t count)>;
Expected<PackedWeights> write_weights(const Model& model, const Plan& plan,
                                      std::int64_t shard_bytes, WeightsSink& sink,
                                      const WeightProgress& progress);

}  // namespace subbyte
