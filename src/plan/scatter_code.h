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

// How an update joins what is there: an expression, and what is neutral to it; none where the last
// update replaces what was there.
struct Joining {
  std::string neutral;
  std::string (*join)(GpuType, const std::string&, const std::string&) = nullptr;
};
Joining joining(std::string_view reduction, GpuType type, DType dtype);

// The places that an update can land on: elements, or slices.
std::vector<Expr> slots(const Scatter& scatter);
// How many indices, or tuples of them, there are.
Expr updates(Lowering& lowering, const Node& node, const Scatter& scatter);
// The slot, row-major, that the update named by `update` lands on; of one that lands nowhere the
// function of `scope`, which has no result, returns.
Expected<std::string> landing_slot(Lowering& lowering, const Node& node, const Scatter& scatter,
                                   StepCode& code, Scope& scope, Evaluator& reader,
                                   const std::string& update);

// A step that calls element(i), whose statements are in `scope`, for each i below `count`.
void add_elementwise(Lowering& lowering, const Kernel& kernel, StepCode& code, const Scope& scope,
                     Expr count);

// What a scatter of many updates does, in time that grows with the updates and the data, not with
// their product. Where each update replaces what was there: each says first where it lands, and the
// last one to land somewhere counts.
Expected<void> lower_scatter_last(Lowering& lowering, const Kernel& kernel, const Scatter& scatter);
// Where it joins what was there: atomically, in no fixed order.
Expected<void> lower_scatter_joined(Lowering& lowering, const Kernel& kernel,
                                    const Scatter& scatter, const Joining& how);

}  // namespace subbyte
