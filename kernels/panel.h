/* A matrix as products with many vectors want it: sixteen rows to a register. */
#pragma once
#include "bf16.h"

constexpr int VECTORS = 4;
constexpr size_t PANEL = 16 * VECTORS;

/* The first `count` lanes of sixteen. */
static inline __mmask16 firstOf(size_t count) { return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1); }

/*
 * Words (pairs of neighbours) of up to 64 rows of `depth` elements, word by word: panel[word][row]; zeros behind the
 * last row. `depth` is even.
 */
static void packPanel(const bf16* matrix, size_t stride, size_t numRows, size_t depth, uint32_t* panel) {
  const size_t numWords = depth / 2;
  for (int v = 0; v < VECTORS; v++) {
    for (size_t word = 0; word < numWords; word += 16) {
      const __mmask16 inside = firstOf(numWords - word);
      __m512i block[16];
      for (size_t i = 0; i < 16; i++) {
        const size_t row = (size_t)v * 16 + i;
        block[i] = row < numRows
                       ? _mm512_maskz_loadu_epi32(inside, matrix + row * stride + 2 * word)
                       : _mm512_setzero_si512();
      }
      transpose16(block);
      const size_t numHere = numWords - word < 16 ? numWords - word : 16;
      for (size_t i = 0; i < numHere; i++)
        _mm512_storeu_si512(panel + ((word + i) * VECTORS + (size_t)v) * 16, block[i]);
    }
  }
}
