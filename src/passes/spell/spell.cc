#include "passes/spell/spell.h"

#include <algorithm>
#include <numeric>

#include "graph/ops.h"

namespace subbyte {
namespace {

SpellOut spelling_of(Op op) {
  switch (op) {
#define SPELLING(op, name) \
  case Op::op:             \
    return spell_##name;
#include "passes/spell/spellings.def"
    default:
      return nullptr;
  }
}

// Nodes whose dtype is not known are left for later; check_supported() has seen to the others.
Expected<bool> spell(Speller& s) {
  const SpellOut spelling = spelling_of(s.node().op);
  if (spelling == nullptr || !s.wants(0)) return false;
  if (s.has(0) && s.dtype() == DType::undefined && s.sequence(s.input(0)) == nullptr) return false;
  return spelling(s);
}

bool is_spelled(const Node& node) { return spelling_of(node.op) != nullptr; }

}  // namespace

Expected<bool> spell_operators(Model& model) {
  bool any = false;
  // What one operator is spelled in may be spelled out itself.
  for (bool again = true; again;) {
    if (std::ranges::none_of(model.main().nodes, is_spelled)) return any;
    Inference inference(model);
    SUBBYTE_TRY(again, spell_out(model, spell, &inference));
    any = any || again;
  }
  return any;
}

Numbers axes_between(std::size_t first, std::size_t last) {
  Numbers axes(last - first);
  std::iota(axes.begin(), axes.end(), static_cast<std::int64_t>(first));
  return axes;
}

ValueId reduced(Speller& s, Op op, std::string_view what, ValueId value, const Numbers& axes,
                bool keep) {
  std::vector<Attribute> attributes;
  if (!keep) attributes.push_back(integer("keepdims", 0));
  return s.add(op, what, {value, s.int64s(std::string(what) + "_axes", axes)},
               std::move(attributes));
}

}  // namespace subbyte
