// The attributes of our own that nodes in canonical form have, written out in operators of ONNX.
#include <algorithm>

#include "base/text.h"
#include "graph/infer.h"
#include "graph/node_form.h"
#include "graph/ops.h"
#include "passes/passes.h"
#include "passes/spell_out.h"

namespace subbyte {
namespace {

// Runtimes sum in float32, where whole numbers below 2^24 are exact.
Expected<bool> without_own_attributes(Speller& s) {
  const Node& node = s.node();
  std::vector<Attribute> kept = node.attributes;
  std::erase_if(kept, [](const Attribute& attribute) {
    return attribute.name == kSumsIntegers || attribute.name == kRoundedQuotient ||
           attribute.name == kScalesAsRoi || attribute.name == kOnlyLarger;
  });
  if (kept.size() == node.attributes.size() || node.op == Op::Unknown) return false;
  if (node.int_or(kScalesAsRoi, 0) != 0) {
    s.finish(node.op, {node.inputs[0], kNone, node.inputs[1]}, std::move(kept));
    return true;
  }
  if (!sums_integers(node)) {
    s.finish(node.op, node.inputs, std::move(kept));
    return true;
  }
  const ValueId sums = s.add(node.op, "sums", node.inputs, std::move(kept));
  const ValueId whole = s.add(Op::Round, "whole", {sums});
  s.finish(Op::Cast, {whole}, {{"to", static_cast<std::int64_t>(DType::int32)}});
  return true;
}

}  // namespace

Expected<void> leave_standard(Model& model) {
  SUBBYTE_CHECK_OK(spell_out(model, without_own_attributes));
  // Of a Resize by scales that a run says inference alone does not know the sizes.
  std::vector<std::optional<std::vector<Expr>>> shapes;
  for (const Value& value : model.main().values) shapes.push_back(value.shape);
  SUBBYTE_CHECK_OK(infer(model));
  for (ValueId v = 0; v < shapes.size(); ++v) {
    Value& value = model.main().values[v];
    if (!value.shape) value.shape = std::move(shapes[v]);
  }
  return {};
}

}  // namespace subbyte
