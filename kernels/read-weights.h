#pragma once
#include "linear.h"
#include "simd.h"

namespace LEVEL {

/*
 * Elements start … start + count of LANES rows from `row` on: rows[LANES][count]. `row` is a multiple of LANES; of
 * rows behind `numRows`, which is the matrix's, nothing is written. `scratch` has room for `count` floats.
 */
void readWeights(
    const Weights* weights, size_t row, size_t numRows, size_t start, size_t count, Element* rows, float* scratch);

}  // namespace LEVEL
