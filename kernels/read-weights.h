#pragma once
#include "linear.h"

/*
 * Elements start … start + count of 16 rows from `row` on, in bfloat16: rows[16][count]. `row` is a multiple of 16; of
 * rows behind `numRows`, which is the matrix's, nothing is written. `scratch` has room for `count` floats.
 */
void readWeights(
    const Weights* weights, size_t row, size_t numRows, size_t start, size_t count, bf16* rows, float* scratch);
