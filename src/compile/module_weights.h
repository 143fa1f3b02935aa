// The weights of a converted module, read as docs/format.md tells any reader: through the manifest
// alone, with nothing of what the conversion knew.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "graph/graph.h"

namespace subbyte {

// A range of rows in one of the module's files.
struct StoredPart {
  std::size_t file = 0;
  std::int64_t offset = 0, bytes = 0, row_stride = 0;
};

struct ModuleWeight {
  std::string name, component;
  std::string reason;  // why it is stored wider than asked; "" where it is not
  std::vector<std::int64_t> shape;
  std::optional<int> layer;
  int bits = 0;
  std::int64_t rows = 0, k = 0, bytes = 0;
  std::vector<int> row_axes, k_axes;
  enum class Kind { floats, integers, affine, codebook } kind = Kind::floats;
  // Of an affine encoding or a codebook.
  std::int64_t group = 0;
  int scale_bits = 16;
  // Of an affine encoding.
  int scale_exponent = 0, zero_bits = 0;
  double zero_step = 1, zero_default = 0;
  std::vector<float> codebook;  // what each code stands for
  StoredPart values;
  std::optional<StoredPart> scales, zero_points;
};

class ModuleWeights {
 public:
  // Of a module, or its manifest, that check_whole() has found whole. Errors: no module, or a
  // manifest that docs/format.md does not allow, such as an encoding of a later version.
  static Expected<ModuleWeights> read(FileSystem& files, const std::string& path);

  const std::vector<ModuleWeight>& all() const { return weights_; }
  // What the manifest says of the model that was converted.
  const std::string& source_name() const { return source_name_; }
  const std::string& source_sha256() const { return source_sha256_; }
  const std::string& precision() const { return precision_; }
  const std::string& version() const { return version_; }
  // Of all files of weights.
  std::int64_t bytes() const { return bytes_; }
  double bits_per_weight() const { return bits_per_weight_; }
  // Path of the module itself.
  const std::string& module_path() const { return module_path_; }

  // The numbers that kernels compute with, in the source's order: float32, or int32 for integers.
  Tensor decoded(const ModuleWeight& weight) const;

 private:
  friend class ManifestReader;
  Bytes row(const StoredPart& part, std::int64_t index) const {
    return contents_[part.file].subspan(
        static_cast<std::size_t>(part.offset + index * part.row_stride),
        static_cast<std::size_t>(part.row_stride));
  }
  void decode_row(const ModuleWeight& weight, std::int64_t row, float* out) const;

  std::vector<ModuleWeight> weights_;
  std::string source_name_, source_sha256_, precision_, version_, module_path_;
  std::int64_t bytes_ = 0;
  double bits_per_weight_ = 0;
  std::vector<Bytes> contents_;                      // of files[i]
  std::vector<std::shared_ptr<const void>> owners_;  // keep them
};

}  // namespace subbyte
