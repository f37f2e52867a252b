/* A matrix as products with many vectors want it: sixteen rows to a register. */
#pragma once
#include "bf16.h"

constexpr int VECTORS = 4;
constexpr size_t PANEL = 16 * VECTORS;

/* The first `count` lanes of sixteen. */
static inline __mmask16 firstOf(size_t count) { return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1); }

/*
 * Words (pairs of neighbours) of up to 16 rows of `depth` elements, word by word into a vector of a panel; zeros behind
 * the last row. `depth` is even.
 */
static void packVector(const bf16* matrix, size_t stride, size_t numRows, size_t depth, uint32_t* panel) {
  const size_t numWords = depth / 2;
  for (size_t word = 0; word < numWords; word += 16) {
    const __mmask16 inside = firstOf(numWords - word);
    __m512i block[16];
    for (size_t row = 0; row < 16; row++)
      block[row] = row < numRows ? _mm512_maskz_loadu_epi32(inside, matrix + row * stride + 2 * word)
                                 : _mm512_setzero_si512();
    transpose16(block);
    const size_t numHere = numWords - word < 16 ? numWords - word : 16;
    for (size_t i = 0; i < numHere; i++) _mm512_storeu_si512(panel + (word + i) * PANEL, block[i]);
  }
}

/* As many as 64 rows. */
static inline void packPanel(const bf16* matrix, size_t stride, size_t numRows, size_t depth, uint32_t* panel) {
  for (size_t v = 0; v < VECTORS; v++) {
    const size_t left = numRows > 16 * v ? numRows - 16 * v : 0;
    packVector(matrix + 16 * v * stride, stride, left < 16 ? left : 16, depth, panel + 16 * v);
  }
}
