// How messages of the importer name the things of the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "import/onnx_wire.h"

namespace subbyte {

// The text as it is where that is safe to show, else quoted().
std::string plain(std::string_view text);

// "node 'encoder/Add_3' (Add)" or, for a nameless one, "node 17 (Add)".
std::string describe(const wire::NodeProto& node, std::size_t index);

// The name of a TensorProto.DataType, also of those that subbyte does not read: "float8e4m3fn";
// "data type 99" for a number that ONNX does not define.
std::string onnx_dtype_name(std::int64_t data_type);

}  // namespace subbyte
