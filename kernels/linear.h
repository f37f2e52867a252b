#pragma once
#include "bf16.h"

enum Activation { NONE = 0, GELU = 1 };

/*
 * output[row, column] = activation(Σ_k input[row, k] · weight[column, k] + bias[column]) for one thread's part.
 *
 * input, output: float32; input is rounded to bfloat16, sums are float32. bias may be null.
 */
typedef struct {
  const float* input;
  size_t inputStride; /* floats from row to row */
  const bf16* weight;
  size_t weightStride; /* elements from row to row */
  const float* bias;
  float* output;
  size_t outputStride;
  size_t width; /* of input and weight; a multiple of 2 */
  size_t rowStart, rowEnd;
  size_t columnStart, columnEnd;
  enum Activation activation;
} Linear;

/* Returns 0, or -1 when there is no memory. */
int linearBf16(const Linear* task);
