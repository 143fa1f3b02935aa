// The files of one conversion: their names, what may be replaced, and the order in which they
// appear.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "emit/weights_file.h"

namespace subbyte {

// For --output DIR/NAME.webgpu.js: "DIR/NAME.webgpu", from which all other names come.
std::string output_stem(const std::string& module_path);

// Fails where a file that subbyte did not write stands at the place of the module, its types or its
// manifest, unless `force`.
Expected<void> check_replaceable(FileSystem& files, const std::string& module_path, bool force);
// The same for --target-format onnx; never true of the source itself.
Expected<void> check_replaceable_onnx(FileSystem& files, const std::string& path, bool force);

// Weights to DIR/NAME.webgpu-HASH.bin, where HASH is the first 16 digits of the SHA-256; they
// appear on commit().
class DiskSink final : public WeightsSink {
 public:
  DiskSink(FileSystem& files, std::string stem) : files_(files), stem_(std::move(stem)) {}
  Expected<void> begin() override;
  Expected<void> write(Bytes bytes) override;
  Expected<std::string> end(const std::string& sha256) override;
  Expected<void> commit();

 private:
  FileSystem& files_;
  std::string stem_;
  std::vector<std::unique_ptr<FileWriter>> writers_;
};

// Weights kept for --single-file, at most kMaxSingleFile bytes in all.
class MemorySink final : public WeightsSink {
 public:
  Expected<void> begin() override;
  Expected<void> write(Bytes bytes) override;
  Expected<std::string> end(const std::string& sha256) override;
  std::vector<std::string> base64() const;

 private:
  std::vector<std::vector<std::byte>> contents_;
  std::int64_t bytes_ = 0;
};

inline constexpr std::int64_t kMaxSingleFile = 100'000'000;

// Writes the module's text files; the module last. Weights of an earlier conversion under the same
// name that `weights` does not list are removed afterwards.
struct TextFiles {
  std::string module, types, manifest;
};
Expected<void> write_text_files(FileSystem& files, const std::string& module_path,
                                const TextFiles& text, const std::vector<WeightsFile>& weights);

}  // namespace subbyte
