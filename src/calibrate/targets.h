// Which instruction sets the lanes of this folder are compiled for: one of each width, since the
// others compute floats no faster. Comes before highway. Vectors of a length unknown to the
// compiler cannot be members of a struct or an array; NEON runs wherever SVE does.
//
// All of them give the same bits. Lanes go across outputs, each of which is computed by the same
// operations in the same order whatever the width; there is no MulAdd, which rounds once or twice
// as the machine has it; and Min and Max, whose NaN differs, are comparisons.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
