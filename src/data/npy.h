// Arrays as numpy saves them.
#pragma once

#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "graph/graph.h"

namespace subbyte {

// A tensor of the content of an .npy file (NEP 1: versions 1 to 3), row-major or turned into that,
// little-endian; a view where the bytes lie as they are needed, which `owner` keeps alive. Objects,
// texts and complex numbers are errors, as is a header that does not fit its bytes.
Expected<Tensor> read_npy(Bytes bytes, std::shared_ptr<const void> owner);

}  // namespace subbyte
