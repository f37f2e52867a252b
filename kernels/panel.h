/* A matrix as products with many vectors want it: as many rows as there are lanes to a register. */
#pragma once
#include "simd.h"

namespace LEVEL {

/* With a panel's vectors, sums of so many rows fill the registers: 6 · 4 of 32, or 6 · 2 of 16. */
constexpr size_t ROWS = 6;
constexpr int VECTORS = LANES == 16 ? 4 : 2;
constexpr size_t PANEL = LANES * VECTORS;

/*
 * Words of up to LANES rows of `depth` elements, word by word into a vector of a panel; zeros behind the last row. `depth` is
 * a multiple of PAIR.
 */
static void packVector(const Element* matrix, size_t stride, size_t numRows, size_t depth, uint32_t* panel) {
  const size_t numWords = depth / PAIR;
  for (size_t word = 0; word < numWords; word += LANES) {
    const size_t numHere = numWords - word < LANES ? numWords - word : LANES;
    Words block[LANES];
    for (size_t row = 0; row < LANES; row++)
      block[row] = row < numRows ? firstWords(matrix + row * stride + PAIR * word, numHere) : noWords();
    transpose(block);
    for (size_t i = 0; i < numHere; i++) storeWords(panel + (word + i) * PANEL, block[i]);
  }
}

/* As many as PANEL rows. */
static inline void packPanel(const Element* matrix, size_t stride, size_t numRows, size_t depth, uint32_t* panel) {
  for (size_t v = 0; v < VECTORS; v++) {
    const size_t left = numRows > LANES * v ? numRows - LANES * v : 0;
    packVector(matrix + LANES * v * stride, stride, left < LANES ? left : LANES, depth, panel + LANES * v);
  }
}

}  // namespace LEVEL
