/* Products of many rows with a matrix of weights. */
#include "linear.h"

#include <stdlib.h>

#include "panel.h"
#include "read-weights.h"
#include "vector-math.h"

namespace {

/* With a panel's four vectors of weights, 24 sums fill the registers. */
constexpr size_t ROWS = 6;
/* Of the width at a time, so that a panel, 160 KB, stays in the second-level cache; whole blocks of every layout. */
constexpr size_t DEPTH = 1280;

struct Tile {
  const bf16* input;
  size_t inputStride;
  const uint32_t* panel;
  size_t numWords;
  float* output;
  size_t outputStride;
  size_t numColumns;
  const float* bias;
  bool isFirst, isLast;
  Activation activation;
};

template <size_t MR>
inline void multiplyTile(const Tile& tile) {
  __m512 sums[MR][VECTORS];
#pragma GCC unroll 8
  for (size_t r = 0; r < MR; r++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) sums[r][v] = _mm512_setzero_ps();
  const uint32_t* rows[MR];
#pragma GCC unroll 8
  for (size_t r = 0; r < MR; r++) rows[r] = (const uint32_t*)(tile.input + r * tile.inputStride);
  const uint32_t* panel = tile.panel;
  for (size_t word = 0; word < tile.numWords; word++, panel += PANEL) {
    __m512i weights[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) weights[v] = _mm512_loadu_si512(panel + 16 * v);
#pragma GCC unroll 8
    for (size_t r = 0; r < MR; r++) {
      const uint32_t pair = rows[r][word];
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) sums[r][v] = addPairs(sums[r][v], pair, weights[v]);
    }
  }
  for (size_t r = 0; r < MR; r++) {
    float* out = tile.output + r * tile.outputStride;
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
      if ((size_t)v * 16 >= tile.numColumns) break;
      const __mmask16 inside = firstOf(tile.numColumns - (size_t)v * 16);
      __m512 sum = sums[r][v];
      if (!tile.isFirst) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(inside, out + 16 * v));
      if (tile.isLast) {
        if (tile.bias) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(inside, tile.bias + 16 * v));
        if (tile.activation == GELU) sum = gelu16(sum);
      }
      _mm512_mask_storeu_ps(out + 16 * v, inside, sum);
    }
  }
}

void multiplyRows(Tile tile, size_t numRows) {
  for (; numRows >= ROWS; numRows -= ROWS) {
    multiplyTile<ROWS>(tile);
    tile.input += ROWS * tile.inputStride;
    tile.output += ROWS * tile.outputStride;
  }
  switch (numRows) {
    case 5: multiplyTile<5>(tile); break;
    case 4: multiplyTile<4>(tile); break;
    case 3: multiplyTile<3>(tile); break;
    case 2: multiplyTile<2>(tile); break;
    case 1: multiplyTile<1>(tile); break;
    default: break;
  }
}

inline size_t wholeLines(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Rows that are converted at a time: 5 MB of a width of 1,280. */
constexpr size_t BLOCK = 2016;

}  // namespace

int linearBf16(const Linear* task) {
  const Weights* weights = &task->weights;
  const size_t depthMost = task->width < DEPTH ? task->width : DEPTH;
  const size_t numRows = task->rowEnd - task->rowStart;
  const size_t blockRows = numRows < BLOCK ? numRows : BLOCK;
  const bool isPlain = weights->layout == PLAIN_BF16;
  const size_t panelBytes = wholeLines(depthMost / 2 * PANEL * sizeof(uint32_t));
  const size_t inputBytes = wholeLines(blockRows * depthMost * sizeof(bf16));
  const size_t weightBytes = isPlain ? 0 : wholeLines(depthMost * 16 * sizeof(bf16));
  const size_t scratchBytes = weights->layout == OTHER ? wholeLines(depthMost * sizeof(float)) : 0;
  uint8_t* memory = (uint8_t*)aligned_alloc(64, panelBytes + inputBytes + weightBytes + scratchBytes);
  if (!memory) return -1;
  uint32_t* panel = (uint32_t*)memory;
  bf16* input = (bf16*)(memory + panelBytes);
  bf16* read = (bf16*)(memory + panelBytes + inputBytes);
  float* scratch = (float*)(memory + panelBytes + inputBytes + weightBytes);
  for (size_t row = task->rowStart; row < task->rowEnd; row += blockRows) {
    const size_t rowsHere = task->rowEnd - row < blockRows ? task->rowEnd - row : blockRows;
    for (size_t k = 0; k < task->width; k += depthMost) {
      const size_t depth = task->width - k < depthMost ? task->width - k : depthMost;
      for (size_t r = 0; r < rowsHere; r++)
        toBf16Row(task->input + (row + r) * task->inputStride + k, input + r * depth, depth);
      for (size_t column = task->columnStart; column < task->columnEnd; column += PANEL) {
        const size_t left = task->columnEnd - column;
        Tile tile;
        tile.numColumns = left < PANEL ? left : PANEL;
        for (size_t v = 0; v < VECTORS; v++) {
          const size_t first = column + 16 * v;
          const size_t numHere = first >= task->columnEnd ? 0 : task->columnEnd - first < 16 ? task->columnEnd - first : 16;
          const bf16* rows = (const bf16*)(weights->data + first * weights->rowBytes) + k;
          size_t stride = weights->rowBytes / sizeof(bf16);
          if (!isPlain && numHere > 0) {
            readWeights(weights, first, first + numHere, k, depth, read, scratch);
            rows = read;
            stride = depth;
          }
          packVector(rows, stride, numHere, depth, panel + 16 * v);
        }
        tile.input = input;
        tile.inputStride = depth;
        tile.panel = panel;
        tile.numWords = depth / 2;
        tile.output = task->output + row * task->outputStride + column;
        tile.outputStride = task->outputStride;
        tile.bias = task->bias ? task->bias + column : nullptr;
        tile.isFirst = k == 0;
        tile.isLast = k + depth == task->width;
        tile.activation = task->activation;
        multiplyRows(tile, rowsHere);
      }
    }
  }
  free(memory);
  return 0;
}
