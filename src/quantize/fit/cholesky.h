// The factor of a symmetric positive definite matrix.
#pragma once

#include <cstdint>

#include "calibrate/machine.h"

namespace subbyte::fit {

// Overwrites the lower triangle of a symmetric n x n matrix, row-major, with L, where A = L L^T,
// block by block (Golub and Van Loan, Matrix Computations, 4.2.9); what is above stays of no
// meaning. False where A is not positive definite to the precision of float32. The bits do not
// depend on the threads.
bool factor_cholesky(float* a, std::int64_t n, calibrate::Machine& machine);

}  // namespace subbyte::fit
