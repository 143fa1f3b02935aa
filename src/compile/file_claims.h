// Which files a conversion reads and which it writes: none is both, and none is written twice.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace subbyte {

// Files are compared by what they are, not by how their paths are spelled: links, hard links and
// files that are not there yet included. Each call fails where its file meets one claimed before,
// with an error that names the option that would write. Nothing is opened.
class FileClaims {
 public:
  explicit FileClaims(FileSystem& files) : files_(files) {}

  // `what` the file is to the user: "the source itself", "the file of --mixed-precision-config".
  Expected<void> reads(const std::string& path, const std::string& what);

  // The samples at `path`, which `option` ("--calibration") names: those that are there, and in a
  // folder whatever would be taken for one the next time.
  Expected<void> reads_samples(const std::string& option, const std::string& path);
  // Weights, "STEM-HASH.bin", of a module that is read.
  Expected<void> reads_weights(const std::string& stem, const std::string& what);

  // The file that `option` ("--output") names. What stands there must be a file or nothing, in
  // a folder that takes new files. Where `streams` is set it is written in its place, and may be a
  // pipe or a character device too.
  Expected<void> writes(const std::string& option, const std::string& path, const std::string& what,
                        bool streams = false);
  // One that goes with the file `named` of the option: "its manifest".
  Expected<void> writes_beside(const std::string& option, const std::string& named,
                               const std::string& path, const std::string& what);
  // Weights, "STEM-HASH.bin" with a hash that is not known yet. Fails where that name is too long,
  // unless only those of an earlier conversion are removed (`single_file`).
  Expected<void> writes_weights(const std::string& option, const std::string& named,
                                const std::string& stem, bool single_file);

 private:
  struct Claim {
    std::string option{};  // "" for what is only read
    std::string named{};   // what the option says
    std::string path{};
    std::string what{};
    bool weights = false;  // `path` is the stem of files of weights
    bool samples = false;  // `path` is a folder of samples
    FileStatus status{};
  };
  Expected<void> add(Claim claim);
  bool meet(const Claim& a, const Claim& b) const;
  bool becomes_sample(const Claim& writer, const Claim& samples) const;
  static Error conflict(const Claim& writer, const Claim& other);

  FileSystem& files_;
  std::vector<Claim> claims_;
};

// Claims the files that `--output PATH` makes of a model: a module, its types, its manifest and its
// weights (none with `single_file`), or an ONNX file and its data.
Expected<void> claim_module(FileClaims& claims, const std::string& path, bool single_file = false);
Expected<void> claim_onnx(FileClaims& claims, const std::string& path);

}  // namespace subbyte
