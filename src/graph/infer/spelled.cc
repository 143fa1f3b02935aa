// Operators that passes/spell expresses in others: their outputs are known when it has done so.
#include "graph/infer/node_infer.h"

namespace subbyte {

#define SPELLED_RULE(name) \
  Expected<void> infer_##name(NodeInfer&) { return {}; }

SPELLED_RULE(carried)
SPELLED_RULE(carried_to_bool)
SPELLED_RULE(carried_to_int64)
SPELLED_RULE(drawn)
SPELLED_RULE(spelled)
SPELLED_RULE(spelled_like_1)
SPELLED_RULE(spelled_like_2)
SPELLED_RULE(spelled_as_float)
SPELLED_RULE(spelled_by_0)
SPELLED_RULE(spelled_by_0_1)
SPELLED_RULE(spelled_sized_1)
SPELLED_RULE(spelled_sized_1_2)
SPELLED_RULE(spelled_sized_2)
SPELLED_RULE(spelled_sized_6)
SPELLED_RULE(spelled_stft)
SPELLED_RULE(unique)
SPELLED_RULE(window)

#undef SPELLED_RULE

}  // namespace subbyte
