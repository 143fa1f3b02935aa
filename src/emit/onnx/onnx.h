// ONNX out: the graph, as it was quantized, for any other runtime.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "emit/output_sink.h"
#include "graph/graph.h"

namespace subbyte {

// Called for each constant of the main graph that the file needs, in the order of its values and
// once each, so that the float values of a quantized weight can be produced one at a time instead
// of being kept in memory. Returns the tensor to write in its stead, of the same dtype and dims.
// Empty: the constants as they are.
using WeightSource = std::function<Expected<Tensor>(ValueId)>;

// What a protobuf message may have at most; readers refuse more.
inline constexpr std::uint64_t kLargestProtobuf = 0x7fffffff;

// Writes `model` (canonical form, dtypes inferred) as `name` and streams its constants; when the
// file would pass `largest` bytes, constants above 1 KB go to "NAME.data" as external data. The
// opset is the model's or 18, whichever is newer. Values that nothing uses are left out. Dimensions
// that are expressions become dim_params of their text. Errors: constants of strings, values whose
// dtype must be known and is not, tensors from `weights` that do not fit, and a graph that is above
// `largest` without its constants. Returns the bytes of the files.
Expected<std::int64_t> write_onnx(OutputSink& sink, const std::string& name, const Model& model,
                                  const WeightSource& weights,
                                  std::uint64_t largest = kLargestProtobuf);

// The sink of an ONNX file at `path`. Unless `force`, a file at "PATH.data" that no ONNX file of
// subbyte's at `path` names is an error, where one would be written. One that subbyte wrote and
// that is not needed any more is removed, and so is what a killed process left of either.
class OnnxSink final : public OutputSink {
 public:
  OnnxSink(FileSystem& files, std::string path, bool force)
      : files_(files), path_(std::move(path)), force_(force) {}
  Expected<std::unique_ptr<FileWriter>> create(const std::string& name) override;
  std::string path_of(const std::string& name) const override;
  Expected<void> commit(std::vector<std::unique_ptr<FileWriter>> files) override;

 private:
  FileSystem& files_;
  std::string path_;
  bool force_;
};

// Whether subbyte wrote the ONNX file at `path`: its producer says so.
bool is_our_onnx(FileSystem& files, const std::string& path);
// Whether "PATH.data" is the data of an ONNX file at `path` that subbyte wrote: an initializer of
// it lies there.
bool is_our_onnx_data(FileSystem& files, const std::string& path);

}  // namespace subbyte
