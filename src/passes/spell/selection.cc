// Operators that select elements, in those that find and gather.
#include "graph/ops.h"
#include "passes/spell/spell.h"

namespace subbyte {

// Those that the condition names.
Expected<bool> spell_compress(Speller& s) {
  const bool of_all = s.node().find("axis") == nullptr;
  const ValueId found = s.add(Op::NonZero, "found", {s.input(1)});
  const ValueId places = s.add(Op::Squeeze, "places", {found, s.int64s("places_axes", {0})});
  const ValueId data = of_all ? s.reshaped("flat", s.input(0), {-1}) : s.input(0);
  s.finish(Op::Gather, {data, places}, {integer("axis", of_all ? 0 : s.node().int_or("axis", 0))});
  return true;
}

}  // namespace subbyte
