// ONNX in: wire format to Graph, nothing interpreted beyond it.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "graph/graph.h"

namespace subbyte {

// Reads an ONNX model (ONNX IR specification, ModelProto) of opset 6 to kNewestOpset by memory map.
// Initializers and Constant nodes become values with `constant` set, views into the mapped file or
// into external data files (only those inside the model's own folder). Dimensions become
// expressions: a number, the symbol of its dim_param where that is a name, or a fresh symbol
// "INPUT.AXIS". Inputs that
// are also initializers (IR version 3) are constants, not inputs. Memory is proportional to the
// graph, not to the weights.
Expected<Model> read_onnx(FileSystem& files, const std::string& path);
// The same from bytes in memory; external data are looked for in `folder`, and messages call the
// model `source_name`.
Expected<Model> parse_onnx(FileSystem& files, Bytes bytes, const std::string& folder,
                           const std::string& source_name, std::shared_ptr<const void> owner);

// Who wrote an ONNX file, and the files beside it that its initializers name, for the question
// whose file it is: nothing else of it is read, and those files need not be there.
struct OnnxOrigin {
  std::string producer;
  std::set<std::string, std::less<>> locations;
};
Expected<OnnxOrigin> read_onnx_origin(FileSystem& files, const std::string& path);

inline constexpr std::int64_t kOldestOpset = 6;
inline constexpr std::int64_t kNewestOpset = 28;

}  // namespace subbyte
