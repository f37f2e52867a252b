#pragma once
#include <stddef.h>
#include <stdint.h>

/* ggml's types of weights that products of few rows are for. */
enum FewRowsType { FEW_Q4_0, FEW_Q8_0, FEW_Q4_K, FEW_Q5_K, FEW_Q6_K };

/* Elements of a row come in pieces of so many. */
size_t fewRowsPiece(enum FewRowsType type);

/*
 * output[row, column] = Σ_k input[row, k] · weights[column, k] for one thread's columns.
 *
 * Input is rounded as ggml rounds it for these types: to 8 bits, with a scale for every 32 (q4_0, q8_0) or 256 elements. Sums over a
 * scale's elements are integers, and exact; sums of those are float32. A row's result does not depend on the other rows.
 */
typedef struct {
  const float* input;
  size_t inputStride; /* floats from row to row */
  enum FewRowsType type;
  const uint8_t* weights;
  size_t rowBytes;
  float* output;
  size_t outputStride;
  size_t width; /* a multiple of `fewRowsPiece` */
  size_t numRows;
  size_t columnStart, columnEnd;
} FewRows;

/* Returns 0, or -1 when there is no memory. */
int multiplyFewRows(const FewRows* task);
