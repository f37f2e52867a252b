/* Products of many rows with a matrix of weights. */
#include "linear.h"

#include <stdlib.h>

#include "panel.h"
#include "read-weights.h"
#include "vector-math.h"

namespace LEVEL {
namespace {

/* Of the width at a time, so that panels, 80 to 160 KB, stay in the second-level cache; whole blocks of every layout. */
constexpr size_t DEPTH = PAIR == 2 ? 1280 : 512;
/* Panels that rows pass by, one after another, while the rows are in the first-level cache. */
constexpr size_t STRIPS = 64 / PANEL;
constexpr size_t COLUMNS = STRIPS * PANEL;

struct Tile {
  const Element* input;
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
  Floats sums[MR][VECTORS];
#pragma GCC unroll 8
  for (size_t r = 0; r < MR; r++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) sums[r][v] = zeros();
  const uint32_t* rows[MR];
#pragma GCC unroll 8
  for (size_t r = 0; r < MR; r++) rows[r] = (const uint32_t*)(tile.input + r * tile.inputStride);
  const uint32_t* panel = tile.panel;
  for (size_t word = 0; word < tile.numWords; word++, panel += PANEL) {
    Words weights[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) weights[v] = loadWords(panel + LANES * v);
#pragma GCC unroll 8
    for (size_t r = 0; r < MR; r++) {
      const uint32_t pair = rows[r][word];
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) sums[r][v] = addWords(sums[r][v], pair, weights[v]);
    }
  }
  for (size_t r = 0; r < MR; r++) {
    float* out = tile.output + r * tile.outputStride;
#pragma GCC unroll 4
    for (size_t v = 0; v < VECTORS; v++) {
      if (v * LANES >= tile.numColumns) break;
      const size_t inside = tile.numColumns - v * LANES;
      Floats sum = sums[r][v];
      if (!tile.isFirst) sum = add(sum, loadFirst(out + LANES * v, inside));
      if (tile.isLast) {
        if (tile.bias) sum = add(sum, loadFirst(tile.bias + LANES * v, inside));
        if (tile.activation == GELU) sum = gelu(sum);
      }
      storeFirst(out + LANES * v, sum, inside);
    }
  }
}

/* All panels. */
template <size_t MR>
void multiplyStrips(const Tile& rows) {
  Tile tile = rows;
  for (size_t left = rows.numColumns; ; left -= PANEL) {
    tile.numColumns = left < PANEL ? left : PANEL;
    multiplyTile<MR>(tile);
    if (left <= PANEL) return;
    tile.panel += tile.numWords * PANEL;
    tile.output += PANEL;
    if (tile.bias) tile.bias += PANEL;
  }
}

void multiplyRows(Tile tile, size_t numRows) {
  for (; numRows >= ROWS; numRows -= ROWS) {
    multiplyStrips<ROWS>(tile);
    tile.input += ROWS * tile.inputStride;
    tile.output += ROWS * tile.outputStride;
  }
  switch (numRows) {
    case 5: multiplyStrips<5>(tile); break;
    case 4: multiplyStrips<4>(tile); break;
    case 3: multiplyStrips<3>(tile); break;
    case 2: multiplyStrips<2>(tile); break;
    case 1: multiplyStrips<1>(tile); break;
    default: break;
  }
}

inline size_t wholePanels(size_t columns) { return (columns + PANEL - 1) / PANEL * PANEL; }
inline size_t wholeLines(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Rows that are converted at a time: 5 MB of a width of 1,280. */
constexpr size_t BLOCK = 2016;

}  // namespace

int linear(const Linear* task) {
  const Weights* weights = &task->weights;
  const size_t depthMost = task->width < DEPTH ? task->width : DEPTH;
  const size_t numRows = task->rowEnd - task->rowStart;
  const size_t blockRows = numRows < BLOCK ? numRows : BLOCK;
  const bool isPlain = PAIR == 2 && weights->layout == PLAIN_BF16;
  const size_t panelBytes = wholeLines(depthMost / PAIR * COLUMNS * sizeof(uint32_t));
  const size_t inputBytes = wholeLines(blockRows * depthMost * sizeof(Element));
  const size_t weightBytes = isPlain ? 0 : wholeLines(depthMost * LANES * sizeof(Element));
  const size_t scratchBytes = weights->layout == OTHER ? wholeLines(depthMost * sizeof(float)) : 0;
  uint8_t* memory = (uint8_t*)aligned_alloc(64, panelBytes + inputBytes + weightBytes + scratchBytes);
  if (!memory) return -1;
  uint32_t* panels = (uint32_t*)memory;
  Element* input = (Element*)(memory + panelBytes);
  Element* read = (Element*)(memory + panelBytes + inputBytes);
  float* scratch = (float*)(memory + panelBytes + inputBytes + weightBytes);
  for (size_t row = task->rowStart; row < task->rowEnd; row += blockRows) {
    const size_t rowsHere = task->rowEnd - row < blockRows ? task->rowEnd - row : blockRows;
    for (size_t k = 0; k < task->width; k += depthMost) {
      const size_t depth = task->width - k < depthMost ? task->width - k : depthMost;
      for (size_t r = 0; r < rowsHere; r++)
        toElements(task->input + (row + r) * task->inputStride + k, input + r * depth, depth);
      for (size_t column = task->columnStart; column < task->columnEnd; column += COLUMNS) {
        const size_t left = task->columnEnd - column;
        Tile tile;
        tile.numColumns = left < COLUMNS ? left : COLUMNS;
        for (size_t v = 0; v < COLUMNS / LANES && LANES * v < wholePanels(tile.numColumns); v++) {
          const size_t first = column + LANES * v;
          const size_t after = first >= task->columnEnd ? 0 : task->columnEnd - first;
          const size_t numHere = after < LANES ? after : LANES;
          const Element* rows = (const Element*)(weights->data + first * weights->rowBytes) + k;
          size_t stride = weights->rowBytes / sizeof(Element);
          if (!isPlain && numHere > 0) {
            readWeights(weights, first, first + numHere, k, depth, read, scratch);
            rows = read;
            stride = depth;
          }
          uint32_t* vector = panels + v / VECTORS * (depth / PAIR * PANEL) + v % VECTORS * LANES;
          packVector(rows, stride, numHere, depth, vector);
        }
        tile.input = input;
        tile.inputStride = depth;
        tile.panel = panels;
        tile.numWords = depth / PAIR;
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

}  // namespace LEVEL
