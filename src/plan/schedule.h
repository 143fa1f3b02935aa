// Which values get a tensor of their own and which are computed inside the kernel that reads them.
#pragma once

#include <set>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// Elements of a content that may be written into a kernel as a chain of selections.
inline constexpr std::size_t kInlineContent = 64;

// One kernel: it stores `result`. With an anchor, it computes the anchor's value and then, as its
// epilogue, what leads from there to `result`.
struct Kernel {
  NodeId anchor = kNone;
  ValueId result = kNone;
};

struct Schedule {
  std::vector<Kernel> kernels;  // in the order in which they run
  std::vector<bool>
      materialized;  // by value: has a tensor (graph inputs that kernels read, kernels' results)
  std::vector<bool> needed;  // by value: some kernel or output needs its elements
  std::vector<std::uint32_t>
      watched{};  // by value: from 1 on where a kernel watches its integers (Plan::watched)
};

// The inputs of a node whose elements its kernels read (not those that only shape the result).
std::vector<ValueId> data_inputs(const Node& node);
// True for nodes that need a kernel of their own (products, reductions, row kernels).
bool is_anchor(const Node& node);
// By value: the one whose elements, in the same row-major order, it is: through Identity, Reshape,
// ...
std::vector<ValueId> same_order_sources(const Graph& graph);
// True where a value's elements are known without any tensor: a constant of one element, or small
// content.
bool is_immediate(const Value& value);

// An anchor's group grows along post-dominators over element-wise nodes and reshapes; other values
// get a kernel when an output or a product needs them as they are, or when several kernels would
// compute them again. No kernel binds more than kMaxStorageBindings buffers (WebGPU's default
// maxStorageBuffersPerShaderStage).
// `alone` are values that get a kernel for themselves, which binds three parts of its first input.
// `watched` those (by value; none where it is empty) whose kernel binds the flag of the run too.
// Counting elements makes expressions of `model`.
Expected<Schedule> schedule(Model& model, std::set<ValueId> alone = {},
                            const std::vector<bool>& watched = {});

inline constexpr std::size_t kMaxStorageBindings = 8;

// A Concat of more parts than this is written part by part, each by a step of its own.
inline constexpr std::size_t kMaxJoinedParts = 4;

}  // namespace subbyte
