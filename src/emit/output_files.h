// The files of one conversion: their names, what may be replaced, and the order in which they
// appear.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "emit/output_sink.h"
#include "emit/weights_file.h"

namespace subbyte {

// For --output DIR/NAME.webgpu.js: "DIR/NAME.webgpu", from which all other names come. A name
// without an ending is its own stem.
std::string output_stem(const std::string& module_path);

// The file of its types, where TypeScript looks for it: "DIR/NAME.webgpu.d.ts", of an ".mjs"
// "DIR/NAME.webgpu.d.mts".
std::string types_path(const std::string& module_path);

// Fails where a file that subbyte did not write stands at the place of the module, its types or its
// manifest, unless `force`.
Expected<void> check_replaceable(FileSystem& files, const std::string& module_path, bool force);
// The same for the file of --target-format onnx; of its data, write_onnx() knows whether any are
// written.
Expected<void> check_replaceable_onnx(FileSystem& files, const std::string& path, bool force);

// The error of a file that is not replaced without --force.
tl::unexpected<Error> not_ours(const std::string& path);

// The sink of a module at `module_path`. Weights of an earlier conversion under the same name that
// are not among the new ones are removed, and so is what a killed conversion left. A file at the
// place of weights that is neither listed in the manifest that stands there nor what its name says
// is an error, unless `force`.
class ModuleSink final : public OutputSink {
 public:
  ModuleSink(FileSystem& files, std::string module_path, bool force)
      : files_(files), module_path_(std::move(module_path)), force_(force) {}
  Expected<std::unique_ptr<FileWriter>> create(const std::string& name) override;
  std::string path_of(const std::string& name) const override;
  Expected<void> commit(std::vector<std::unique_ptr<FileWriter>> files) override;

 private:
  FileSystem& files_;
  std::string module_path_;
  bool force_;
};

// Weights as outputs "STEM-HASH.bin", where HASH is the first 16 digits of the SHA-256.
class NamedWeights final : public WeightsSink {
 public:
  NamedWeights(OutputSink& sink, std::string stem) : sink_(sink), stem_(std::move(stem)) {}
  Expected<void> begin(std::int64_t bytes) override;
  Expected<void> write(Bytes bytes) override;
  Expected<std::string> end(const std::string& sha256) override;
  // The files, whole but not yet under their names.
  std::vector<std::unique_ptr<FileWriter>> take() { return std::move(writers_); }

 private:
  OutputSink& sink_;
  std::string stem_;
  std::vector<std::unique_ptr<FileWriter>> writers_;
};

// Weights kept for --single-file, at most kMaxSingleFile bytes in all.
class MemorySink final : public WeightsSink {
 public:
  Expected<void> begin(std::int64_t bytes) override;
  Expected<void> write(Bytes bytes) override;
  Expected<std::string> end(const std::string& sha256) override;
  std::vector<std::string> base64() const;

 private:
  std::vector<std::vector<std::byte>> contents_;
  std::int64_t bytes_ = 0;
};

inline constexpr std::int64_t kMaxSingleFile = 100'000'000;

struct TextFiles {
  std::string module, types, manifest;
};
// Makes all files of the module `name` appear together, the weights first and the module last.
Expected<void> write_module_files(OutputSink& sink, const std::string& name, const TextFiles& text,
                                  std::vector<std::unique_ptr<FileWriter>> weights);

// Whether the name without folder is one that weights of the output `stem` (without folder) may
// have: "STEM-" and 16 hexadecimal digits and ".bin".
bool is_weights_name(std::string_view name, std::string_view stem);

}  // namespace subbyte
