#pragma once
#include <stddef.h>
#include <stdint.h>

enum Activation { NONE = 0, GELU = 1 };

/* Elements of a row of weights as ggml's `ggml_to_float_t` reads them: whole blocks. */
typedef void (*ToFloat)(const void* blocks, float* elements, int64_t count);

/* How a matrix of weights lies in memory. */
enum Layout {
  PLAIN_BF16,
  PLAIN_Q4_0,
  PLAIN_Q8_0,
  /* Blocks of q4_0 of eight rows, woven by eight bytes, as ggml's CPU_REPACK buffers have them. */
  WOVEN_Q4_0,
  /* Any other: `toFloat` reads it. */
  OTHER
};

typedef struct {
  const uint8_t* data;
  size_t rowBytes;
  enum Layout layout;
  /* Of OTHER. */
  ToFloat toFloat;
  size_t blockLength, blockBytes;
} Weights;

/*
 * output[row, column] = activation(Σ_k input[row, k] · weights[column, k] + bias[column]) for one thread's part.
 *
 * input, output: float32; sums are float32. bias may be null. Levels with bfloat16 round input and weights to it as they are read;
 * the others compute with float32.
 */
typedef struct {
  const float* input;
  size_t inputStride; /* floats from row to row */
  Weights weights;
  const float* bias;
  float* output;
  size_t outputStride;
  size_t width; /* of input and weights; a multiple of 2, and of a block's length */
  size_t rowStart, rowEnd;
  size_t columnStart, columnEnd; /* the start a multiple of 16 */
  enum Activation activation;
} Linear;

/* int linear(const Linear*), a level's: 0, or -1 when there is no memory. */
