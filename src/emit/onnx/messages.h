// The messages of onnx.proto as bytes. A message is the concatenation of its fields.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte::onnx_messages {

// Tag and length of field `tag` of `length` bytes, for bytes that are written elsewhere.
std::string field_header(std::uint32_t tag, std::uint64_t length);

// TensorProto without its data: dims, data_type and name.
std::string tensor_head(const Tensor& tensor, std::string_view name);
// TensorProto fields that say where external data are.
std::string external_data(std::string_view location, std::uint64_t offset, std::uint64_t length);
// Holds unless the tensor has strings, or fewer or more bytes than its dims need.
Expected<void> check_data(const Tensor& tensor, std::string_view what);

// GraphProto without the initializers of the main graph: nodes, name, inputs and outputs, and
// subgraphs with all that is theirs.
Expected<std::string> graph_body(const Model& model, GraphId graph);

// The constants of graph `id` that a node, an output or a subgraph uses, in the order of its
// values.
std::vector<ValueId> used_constants(const Model& model, GraphId id);

// Field numbers that the writer of the file needs.
inline constexpr std::uint32_t kModelIrVersion = 1;
inline constexpr std::uint32_t kModelProducerName = 2;
inline constexpr std::uint32_t kModelGraph = 7;
inline constexpr std::uint32_t kModelOpsetImport = 8;
inline constexpr std::uint32_t kGraphInitializer = 5;
inline constexpr std::uint32_t kTensorRawData = 9;

}  // namespace subbyte::onnx_messages
