// Operators that passes/spell expresses in others, so that none is left when a model is run.
#include "reference/call.h"

namespace subbyte::reference {

Result reference_spelled(const Call& call) {
  return fail("{}: it is not spelled out in other operators", call.node.op_type);
}

}  // namespace subbyte::reference
