// Where the elements of a packed matrix lie in the tensor of the source.
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/format.h"

namespace subbyte::tune {

// Element [r, i] of the matrix is element rows[r] + columns[i] of the tensor, row-major.
struct SourceLayout {
  std::vector<std::int64_t> rows{}, columns{};
};

SourceLayout source_layout(const AxisOrder& order, const std::vector<std::int64_t>& dims);

}  // namespace subbyte::tune
