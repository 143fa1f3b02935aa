#include "graph/infer.h"
#include "graph/text.h"
#include "passes/canonical_form.h"
#include "passes/invariants.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

constexpr Pass kStandard[] = {
    {"canonicalize", canonicalize, "every node is in canonical form", check_canonical},
    {"fold_constants", fold_constants, "no node computes from constants alone",
     contents_are_constants},
    {"read_back_sizes", read_back_sizes, "no size is computed from what is not known",
     is_settled<read_back_sizes>},
    {"remove_identities", remove_identities, "no node passes its input on unchanged",
     is_settled<remove_identities>},
    {"collapse_repeats", collapse_repeats,
     "no large constant repeats along an axis, but those that products read",
     is_settled<collapse_repeats>},
    {"merge_constants", merge_constants,
     "no two large constants have the same elements, nor are they each other's transpose",
     is_settled<merge_constants>},
    {"fold_batch_norms", fold_batch_norms,
     "no BatchNormalization, and no constant factor after a product of constant weights",
     is_settled<fold_batch_norms>},
    {"fold_pads", fold_pads, "no Pad of zeros stands before a convolution", is_settled<fold_pads>},
    {"remove_unused", remove_unused, "no node or value that nothing reads",
     is_settled<remove_unused>},
};

// RMSNorm after LayerNorm, which is an RMSNorm of what is centered.
constexpr Pass kFusion[] = {
    {"fuse_layer_norm", fuse_layer_norm, "no LayerNorm is spelled out",
     is_settled<fuse_layer_norm>},
    {"fuse_rms_norm", fuse_rms_norm, "no RMSNorm is spelled out", is_settled<fuse_rms_norm>},
    {"fuse_gelu", fuse_gelu, "no GELU is spelled out", is_settled<fuse_gelu>},
    {"fuse_softmax", fuse_softmax, "no softmax or its logarithm is spelled out",
     is_settled<fuse_softmax>},
    {"scale_products", scale_products,
     "no number scales an operand of a product of two computed values", is_settled<scale_products>},
};

#ifdef SUBBYTE_VERIFY
// The canonical form, which every pass keeps, and what this one establishes.
Expected<void> check_established(const Model& model, const Pass& pass) {
  SUBBYTE_CHECK_OK(check_canonical(model));
  if (auto holds = pass.holds(model); !holds)
    return within(fmt::format("what it establishes ({})", pass.establishes),
                  std::move(holds.error()));
  return {};
}
#endif

}  // namespace

std::span<const Pass> standard_passes() { return kStandard; }
std::span<const Pass> fusion_passes() { return kFusion; }

Expected<void> run_passes(Model& model, std::span<const Pass> passes, const PassObserver& observe) {
  for (const Pass& pass : passes) {
    SUBBYTE_CHECK_OK(pass.run(model));
#ifdef SUBBYTE_VERIFY
    if (auto valid = verify(model); !valid)
      return within(fmt::format("after the pass {}", pass.name), std::move(valid.error()));
#endif
    // A pass may leave values whose shapes are not known, and the next one may need them.
    SUBBYTE_CHECK_OK(infer(model));
#ifdef SUBBYTE_VERIFY
    if (auto valid = check_established(model, pass); !valid)
      return within(fmt::format("after the pass {}", pass.name), std::move(valid.error()));
#endif
    if (observe) observe(pass, model);
  }
  return {};
}

}  // namespace subbyte
