// The manifest of a converted model, and its TypeScript types.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "emit/weights_file.h"
#include "graph/graph.h"
#include "plan/plan.h"
#include "quantize/assign.h"
#include "samples/output_content.h"
#include "samples/output_loss.h"

namespace subbyte {

struct SourceFile {
  std::string name;  // without folder
  std::int64_t bytes = 0;
  std::string sha256;
};

// A file of the conversion, as the manifest lists it.
struct WrittenFile {
  std::string name;  // without folder
  std::int64_t bytes = 0;
  std::string sha256;
};

// How an output of the quantized model compares with the float model's on the same inputs.
struct OutputCheck {
  std::string name;
  OutputContent content{};
  OutputLoss loss{};
};

struct Check {
  std::string skipped;  // why no check was run; "" where one was
  std::size_t samples = 0;
  std::string made_of;  // what the samples are
  std::vector<std::pair<std::string, std::vector<std::int64_t>>>
      inputs;  // names and dims of the first sample
  std::vector<OutputCheck> outputs;
};

struct ManifestFacts {
  std::string precision;
  std::string model_type;
  SourceFile source;
  WrittenFile module;
  std::vector<WeightUse> uses;
  std::vector<Assignment> assignments;
  std::optional<Check> check;  // none with --no-check
};

// Of the format of the manifest, which a reader compares with the one that it knows.
inline constexpr int kManifestFormat = 2;

nlohmann::ordered_json manifest_json(const Model& model, const Plan& plan,
                                     const PackedWeights& weights, const ManifestFacts& facts);

// NAME.webgpu.d.ts: the common declarations of the runtime, then this model's inputs and outputs.
std::string typescript_types(const Model& model, const Plan& plan);

}  // namespace subbyte
