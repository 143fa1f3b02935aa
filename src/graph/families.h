// The families by name: one for each row of graph/families.def.
#pragma once

#include "graph/family_info.h"

namespace subbyte {

enum class ShapeRule : std::uint8_t {
#define RULE(name, typed, shaping, first, others) name,
#include "graph/families.def"
};

enum class Family : std::uint8_t {
#define FAMILY(name, role, data, still, results, own) name,
#include "graph/families.def"
};

}  // namespace subbyte
