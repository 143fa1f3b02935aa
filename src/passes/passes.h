// The passes: named functions over a Model, run in the order of pipeline.cc.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

struct Pass {
  std::string_view name;
  Expected<void> (*run)(Model&);
  std::string_view establishes;  // the invariant that holds afterwards, in a few words
  // The same as a predicate, checked after the pass under SUBBYTE_VERIFY: an error says where it
  // does not hold.
  Expected<void> (*holds)(const Model&);
};

// Stage 1, on standard operators: what it leaves is what --target-format onnx writes.
std::span<const Pass> standard_passes();
// Stage 2, fusion: may leave operators of a later opset than the model's, and of the domain
// "subbyte" that only lowering knows. Values keep their ids, under which weights are stored by
// then; those that nothing computes or reads any more stay too.
std::span<const Pass> fusion_passes();

// Called after each pass, for dumps.
using PassObserver = std::function<void(const Pass&, const Model&)>;
// Runs them in order. With SUBBYTE_VERIFY the verifier runs after each, the canonical form is
// checked, and so is what the passes establish.
Expected<void> run_passes(Model& model, std::span<const Pass> passes,
                          const PassObserver& observe = nullptr);

// What run right after import. The branches of Ifs come into the graphs around them, and graphs
// that no node refers to go.
Expected<void> inline_branches(Model& model);
// A Loop that repeats the elements of a tensor as often as another says is no loop any more.
void lift_repeats(Model& model);
// The turns of a Loop or Scan whose number is known and small come into the main graph.
Expected<void> unroll_loops(Model& model);
// The body of every other Loop and Scan comes into the main graph, once (graph/loops.h).
Expected<void> enter_loops(Model& model);
// What of branches can never run goes, as far as it is known without folding constants.
Expected<void> drop_untaken_branches(Model& model);
// All of these. Where nothing is inside of a node, nothing is changed.
Expected<void> resolve_control_flow(Model& model);

// Every node that subbyte cannot convert (operator, dtype or mode), in one error. Runs right after
// import.
Expected<void> check_supported(const Model& model);

// What check_supported() lets pass of one operator: the dtypes of its data inputs, and its modes in
// a few words ("" where all are).
struct OperatorSupport {
  std::vector<DType> dtypes;
  std::string_view modes;
};
OperatorSupport operator_support(Op op);

// The passes.
Expected<void> canonicalize(Model& model);    // every node in canonical form
Expected<void> fold_constants(Model& model);  // no node computes from constants alone
// Integers that sizes are computed from, and that only the GPU can compute, are read back.
Expected<void> read_back_sizes(Model& model);
Expected<void> remove_unused(Model& model);  // no node or value that nothing reads
Expected<void> remove_identities(
    Model& model);  // no Identity, Dropout, one-input Concat, no-op Cast
Expected<void> collapse_repeats(Model& model);  // no large constant repeats, but weights
Expected<void> merge_constants(Model& model);   // no two constants have the same elements
Expected<void> fold_batch_norms(Model& model);  // none; per-channel factors are in the weights
Expected<void> fold_pads(Model& model);         // no Pad of zeros stands before a convolution
// Nothing is left but operators of ONNX with the attributes that it gives them, shapes inferred
// again: for an ONNX file.
Expected<void> leave_standard(Model& model);
// Of fusion: computations spelled out in many nodes become one.
Expected<void> fuse_layer_norm(Model& model);
Expected<void> fuse_rms_norm(Model& model);
Expected<void> fuse_gelu(Model& model);
Expected<void> fuse_softmax(Model& model);
// What two computed matrices are scaled by before they are multiplied their product is scaled by.
Expected<void> scale_products(Model& model);

}  // namespace subbyte
