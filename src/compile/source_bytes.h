// The bytes of a source, read for two purposes at once.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "graph/graph.h"
#include "quantize/measure.h"

namespace subbyte {

// The SHA-256 of `source`, while the meters measure their weights: those that lie in it as the hash
// passes over them, so that a file larger than the memory is read once for both; then the others,
// in the order of their addresses. `between` is asked between two pieces of the work with the
// bytes of the source that were read, and gives the error that ends it.
Expected<std::string> hash_and_measure(Bytes source, std::span<WeightMeter> meters,
                                       const std::function<Expected<void>(std::size_t)>& between);

// Of the model's own file, which is `source`, and of those that its weights lie in.
Expected<std::int64_t> bytes_of_source(FileSystem& files, Bytes source, const Model& model);

}  // namespace subbyte
