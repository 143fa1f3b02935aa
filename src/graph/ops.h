// The operators by name: one for each row of graph/ops.def.
#pragma once

#include "graph/op_info.h"

namespace subbyte {

// GCC takes an enumerator of a scoped enumeration for one that shadows, such as Op::Shape the type
// Shape.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
enum class Op : std::uint16_t {
  Unknown,
#define OP(name, domain, since, in_min, in_max, out_max, dtypes, infer, reference, lower) name,
#include "graph/ops.def"
#undef OP
};
#pragma GCC diagnostic pop

}  // namespace subbyte
