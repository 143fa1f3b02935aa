// ONNX out: the graph, as it was quantized, for any other runtime.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "graph/graph.h"

namespace subbyte {

// Called for each constant of the main graph, so that the float values of a quantized weight can be
// produced one at a time instead of being kept in memory. Returns the tensor to write in its stead.
using WeightSource = std::function<Expected<Tensor>(ValueId)>;

// Writes `model` (canonical form) to `path`; when that would pass 2 GB, constants above 1 KB go to
// "PATH.data". The opset is the model's or 18, whichever is newer.
Expected<void> write_onnx(FileSystem& files, const std::string& path, const Model& model,
                          const WeightSource& weights);

}  // namespace subbyte
