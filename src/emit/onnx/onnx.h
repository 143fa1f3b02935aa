// ONNX out: the graph, as it was quantized, for any other runtime.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "graph/graph.h"

namespace subbyte {

// Called for each constant of the main graph that the file needs, in the order of its values and
// once each, so that the float values of a quantized weight can be produced one at a time instead
// of being kept in memory. Returns the tensor to write in its stead, of the same dtype and dims.
// Empty: the constants as they are.
using WeightSource = std::function<Expected<Tensor>(ValueId)>;

// What a protobuf message may have at most; readers refuse more.
inline constexpr std::uint64_t kLargestProtobuf = 0x7fffffff;

// Writes `model` (canonical form, dtypes inferred) to `path` and streams its constants; when the
// file would pass `largest` bytes, constants above 1 KB go to "PATH.data" as external data. The
// opset is the model's or 18, whichever is newer. Values that nothing uses are left out. Dimensions
// that are expressions become dim_params of their text. Errors: constants of strings, values whose
// dtype must be known and is not, tensors from `weights` that do not fit, and a graph that is above
// `largest` without its constants. Unless `force`, a file at "PATH.data" that no ONNX file of
// subbyte's at `path` names is an error too, where one would be written. One that subbyte wrote and
// that is not needed any more is removed, and so is what a killed process left of them.
Expected<void> write_onnx(FileSystem& files, const std::string& path, const Model& model,
                          const WeightSource& weights, std::uint64_t largest = kLargestProtobuf,
                          bool force = false);

// Whether subbyte wrote the ONNX file at `path`: its producer says so.
bool is_our_onnx(FileSystem& files, const std::string& path);
// Whether "PATH.data" is the data of an ONNX file at `path` that subbyte wrote: an initializer of
// it lies there.
bool is_our_onnx_data(FileSystem& files, const std::string& path);

}  // namespace subbyte
