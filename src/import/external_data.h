// Tensors whose bytes lie in files beside the model (TensorProto.external_data).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "import/onnx_wire.h"

namespace subbyte {

struct ExternalBytes {
  Bytes bytes;
  std::shared_ptr<const void> owner;
};

// Maps each data file once. Only files inside the model's own folder are opened, links resolved: a
// model must not be able to read other files of the user.
class ExternalData {
 public:
  ExternalData(FileSystem& files, std::string folder)
      : files_(&files), folder_(std::move(folder)) {}

  // The bytes of `tensor`, which needs `size` of them. Errors leave it to the caller to name the
  // tensor.
  Expected<ExternalBytes> find(const wire::TensorProto& tensor, std::uint64_t size);
  // The files that were read so far.
  std::vector<std::string> paths() const;

 private:
  Expected<std::shared_ptr<const FileContent>> open(std::string_view location);

  FileSystem* files_;
  std::string folder_;
  std::map<std::string, std::shared_ptr<const FileContent>, std::less<>> open_;
};

}  // namespace subbyte
