// The axes of reductions.
#pragma once

#include "reference/call.h"

namespace subbyte::reference {

// Which axes are reduced: those of input 1; without any, all, or none with noop_with_empty_axes.
Expected<std::vector<bool>> reduced_axes(const Call& call);

}  // namespace subbyte::reference
