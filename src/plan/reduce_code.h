// What all kernels over the bodies reduce_column and reduce_row share (docs/kernels.md): the hooks
// but `load`, and the step.
#pragma once

#include <string>
#include <vector>

#include "plan/lowering.h"

namespace subbyte {

// The least and the greatest value of a dtype as literals: infinities for floats. They are neutral
// to maximum and minimum.
std::string lowest_literal(DType dtype);
std::string highest_literal(DType dtype);

struct Accumulator {
  std::string type;     // WGSL type T
  std::string init;     // expression neutral to `combine`
  std::string combine;  // expression of a and b
};

// Declares T, outer(), inner(), init() and combine().
void declare_accumulator(StepCode& code, const Accumulator& accumulator, Expr outer, Expr inner);

// A pair of a value and where it was, of which combine() keeps the best one: the larger, or the
// smaller where `least`; of equal ones the first, or the last where `last`. NaN is better than all.
// T is { value, index }, index kNoIndex in init().
void declare_best(StepCode& code, DType dtype, bool least, bool last, Expr outer, Expr inner);
inline constexpr const char* kNoIndex = "4294967295u";

// Declares finish(), which makes `value` (an expression of o and acc, whose statements are in
// `stores`) the anchor's first output, computes the epilogue from it and stores that; then appends
// the step. `strided` as in reduce_forms().
Expected<void> finish_reduction(Lowering& lowering, const Kernel& kernel, StepCode& code,
                                Scope& stores, const Typed& value, Expr outer, Expr inner,
                                bool strided);

// Kept axes first, in order; then the reduced ones.
struct ReducedLast {
  ViewStep permute{ViewStep::Kind::permute, {}, {}, {}, {}};
  std::vector<Expr> kept, gone;
};
ReducedLast reduced_last(const std::vector<Expr>& shape, const std::vector<bool>& reduced);

}  // namespace subbyte
