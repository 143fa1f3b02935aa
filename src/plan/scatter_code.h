// Where the updates of a scatter land.
#pragma once

#include <string>
#include <vector>

#include "plan/index_code.h"
#include "plan/lowering.h"

namespace subbyte {

// Of ScatterElements an update is at the result's own place but for one axis; of ScatterND it is a
// slice.
struct Scatter {
  bool slices = false;            // ScatterND
  std::vector<AxisGroup> groups;  // ScatterElements: axes of the data and of the updates
  std::size_t axis = 0;           // the group that the indices are about
  std::vector<Expr> sizes;        // of the data and the result; of ScatterND the slices come last
  Expr candidates;                // updates that may land on one element
  Expr depth;                     // elements of an index (ScatterND)
};
Scatter scatter_of(Lowering& lowering, const Node& node);

// The update that is `r` among the candidates of the element `at`.
Frame update_frame(const Scatter& scatter, const std::vector<std::string>& at,
                   const std::string& r);

// What a scatter does where each update replaces what was there and they are many: each says first
// where it lands, and the last one to land somewhere counts. In time that grows with the updates
// and the data, not with their product.
Expected<void> lower_scatter_last(Lowering& lowering, const Kernel& kernel, const Scatter& scatter);

}  // namespace subbyte
