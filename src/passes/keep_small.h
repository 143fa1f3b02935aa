// What keeps weights as small as the file has them, before constants are folded.
#pragma once

#include "graph/graph.h"

namespace subbyte {

// A table of halves of which some rows are taken and then widened, and that is widened as a whole
// for another reader, as a tied embedding is: it is widened first, and is one table.
void widen_tables(Model& model);

// A weight that is the product of two constants with fewer elements, read by products alone: they
// multiply by one after the other, x (A B) = (x A) B, since folding would store all of A B.
// Adapters of low rank and factorised layers are such.
void keep_low_rank(Model& model);

}  // namespace subbyte
