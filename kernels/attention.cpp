/* Attention of many queries to many keys, without storing the scores of more than a few at a time. */
#include "attention.h"

#include <stdlib.h>

#include "panel.h"
#include "vector-math.h"

namespace LEVEL {
namespace {

constexpr size_t QUERIES = 30; /* at a time; a multiple of every number of rows below */
constexpr size_t KEYS = PAIR == 2 ? 256 : 128; /* at a time: panels of scores that stay in the first-level cache */
constexpr float LOG2E = 1.44269504f;
/* Lower than any score, and no infinity: differences with it are numbers. */
constexpr float LOWEST = -1e30f;

inline size_t padded(size_t numKeys) { return (numKeys + PANEL - 1) / PANEL * PANEL; }

struct Block {
  Element query[QUERIES * 128];
  float scores[QUERIES * KEYS];
  Element weights[QUERIES * KEYS];
  float sums[QUERIES * 128];
  float largest[QUERIES];
  float total[QUERIES];
  float decay[QUERIES];
};

/* Scores of six queries and a panel of keys, times log2(e), bias included. */
inline void scorePanel(const Element* query, size_t headSize, const uint32_t* panel, const float* bias, float* scores) {
  Floats sums[6][VECTORS];
#pragma GCC unroll 4
  for (int v = 0; v < VECTORS; v++) {
    const Floats start = multiply(load(bias + LANES * v), splat(LOG2E));
#pragma GCC unroll 6
    for (size_t r = 0; r < 6; r++) sums[r][v] = start;
  }
  const uint32_t* rows = (const uint32_t*)query;
  const size_t numWords = headSize / PAIR;
  for (size_t word = 0; word < numWords; word++, panel += PANEL) {
    Words keys[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) keys[v] = loadWords(panel + LANES * v);
#pragma GCC unroll 6
    for (size_t r = 0; r < 6; r++) {
      const uint32_t pair = rows[r * numWords + word];
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) sums[r][v] = addWords(sums[r][v], pair, keys[v]);
    }
  }
#pragma GCC unroll 6
  for (size_t r = 0; r < 6; r++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) store(scores + r * KEYS + LANES * v, sums[r][v]);
}

/* Weights of one query's `numKeys` scores (whole panels) against the largest so far; what was summed decays to it. */
inline void weigh(Block& block, size_t row, size_t numKeys) {
  const float* scores = block.scores + row * KEYS;
  Floats most = load(scores);
  for (size_t k = LANES; k < numKeys; k += LANES) most = larger(most, load(scores + k));
  const float before = block.largest[row];
  const float here = largestOf(most);
  const float largest = here > before ? here : before;
  const Floats top = splat(largest);
  Floats total = zeros();
  Element* weights = block.weights + row * KEYS;
  for (size_t k = 0; k < numKeys; k += LANES) {
    const Floats weight = exp2of(subtract(load(scores + k), top));
    total = add(total, weight);
    storeElements(weights + k, weight);
  }
  const float decay = firstOf(exp2of(splat(before - largest)));
  block.largest[row] = largest;
  block.decay[row] = decay;
  block.total[row] = block.total[row] * decay + sumOf(total);
}

/* Adds the values of `numKeys` keys, weighed, to what MR queries have. */
template <size_t MR, int NV>
inline void addValues(Block& block, size_t row, const uint32_t* values, size_t numKeys, size_t headSize, size_t channel) {
  Floats sums[MR][NV];
#pragma GCC unroll 6
  for (size_t r = 0; r < MR; r++)
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++)
      sums[r][v] = multiply(
          load(block.sums + (row + r) * headSize + channel + LANES * (size_t)v), splat(block.decay[row + r]));
  const uint32_t* weights = (const uint32_t*)(block.weights + row * KEYS);
  for (size_t word = 0; word < numKeys / PAIR; word++, values += headSize) {
    Words vectors[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) vectors[v] = loadWords(values + channel + LANES * v);
#pragma GCC unroll 6
    for (size_t r = 0; r < MR; r++) {
      const uint32_t pair = weights[r * (KEYS / PAIR) + word];
#pragma GCC unroll 8
      for (int v = 0; v < NV; v++) sums[r][v] = addWords(sums[r][v], pair, vectors[v]);
    }
  }
#pragma GCC unroll 6
  for (size_t r = 0; r < MR; r++)
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++)
      store(block.sums + (row + r) * headSize + channel + LANES * (size_t)v, sums[r][v]);
}

/* As many queries at once as the registers have room for sums. */
constexpr size_t rowsFor(int numVectors) { return numVectors <= 4 ? 6 : numVectors == 5 ? 5 : 3; }

template <int NV>
void attendBlock(const Attend& task, Block& block, const float* bias, size_t head, size_t start) {
  constexpr size_t headSize = 16 * NV;
  const size_t left = task.numQueries - start;
  const size_t numQueries = left < QUERIES ? left : QUERIES;
  const size_t numKeys = padded(task.numKeys);
  const Element* keys = (const Element*)task.packed + head * 2 * numKeys * headSize;
  const Element* values = keys + numKeys * headSize;
  const Floats scale = splat(task.scale * LOG2E);
  for (size_t row = 0; row < QUERIES; row++) {
    for (size_t c = 0; c < headSize; c += LANES) {
      const Floats query =
          row < numQueries ? load(task.query + ((start + row) * task.numHeads + head) * headSize + c)
                           : zeros();
      storeElements(block.query + row * headSize + c, multiply(query, scale));
      store(block.sums + row * headSize + c, zeros());
    }
    block.largest[row] = LOWEST;
    block.total[row] = 0;
  }
  const size_t numRows = (numQueries + 5) / 6 * 6;
  /* Of the channels: all, or 16 at a time where there are few registers. */
  constexpr int vectors = LANES == 16 ? NV : 2;
  constexpr size_t atOnce = rowsFor(vectors);
  for (size_t key = 0; key < numKeys; key += KEYS) {
    const size_t keysHere = numKeys - key < KEYS ? numKeys - key : KEYS;
    for (size_t k = 0; k < keysHere; k += PANEL)
      for (size_t row = 0; row < numRows; row += 6)
        scorePanel(
            block.query + row * headSize, headSize, (const uint32_t*)(keys + (key + k) * headSize), bias + key + k,
            block.scores + row * KEYS + k);
    for (size_t row = 0; row < numQueries; row++) weigh(block, row, keysHere);
    for (size_t row = 0; row < numQueries; row += atOnce)
      for (size_t channel = 0; channel < headSize; channel += LANES * vectors)
        addValues<atOnce, vectors>(block, row, (const uint32_t*)(values + key * headSize), keysHere, headSize, channel);
  }
  for (size_t row = 0; row < numQueries; row++) {
    const Floats inverse = splat(block.total[row] > 0 ? 1 / block.total[row] : 0);
    float* out = task.output + ((start + row) * task.numHeads + head) * headSize;
    for (size_t c = 0; c < headSize; c += LANES)
      store(out + c, multiply(load(block.sums + row * headSize + c), inverse));
  }
}

typedef void (*AttendBlock)(const Attend&, Block&, const float*, size_t, size_t);

AttendBlock blockFor(size_t headSize) {
  switch (headSize) {
    case 16: return attendBlock<1>;
    case 32: return attendBlock<2>;
    case 48: return attendBlock<3>;
    case 64: return attendBlock<4>;
    case 80: return attendBlock<5>;
    case 96: return attendBlock<6>;
    case 128: return attendBlock<8>;
    default: return nullptr;
  }
}

}  // namespace

int isHeadSize(size_t headSize) { return blockFor(headSize) != nullptr; }

size_t packedKeysLength(size_t numHeads, size_t numKeys, size_t headSize) {
  return numHeads * 2 * padded(numKeys) * headSize * (sizeof(Element) / 2);
}

int packKeys(const PackKeys* task) {
  const size_t headSize = task->headSize;
  const size_t numKeys = padded(task->numKeys);
  Element rows[PANEL * 128];
  for (size_t head = task->headStart; head < task->headEnd; head++) {
    Element* keys = (Element*)task->packed + head * 2 * numKeys * headSize;
    Element* values = keys + numKeys * headSize;
    for (size_t key = 0; key < numKeys; key += PANEL) {
      const size_t left = task->numKeys - key;
      const size_t numHere = left < PANEL ? left : PANEL;
      for (size_t k = 0; k < numHere; k++)
        toElements(task->keys + ((key + k) * task->numHeads + head) * headSize, rows + k * headSize, headSize);
      packPanel(rows, headSize, numHere, headSize, (uint32_t*)(keys + key * headSize));
      for (size_t k = 0; k < PANEL; k += PAIR) {
        uint32_t* words = (uint32_t*)(values + (key + k) * headSize);
        for (size_t c = 0; c < headSize; c += LANES) {
          const float* value = task->values + ((key + k) * task->numHeads + head) * headSize + c;
          const Floats first = k < numHere ? load(value) : zeros();
          const Floats second = PAIR == 2 && k + 1 < numHere ? load(value + task->numHeads * headSize) : zeros();
          storeWords(words + c, wordsOf(first, second));
        }
      }
    }
  }
  return 0;
}

int attend(const Attend* task) {
  const AttendBlock attendOne = blockFor(task->headSize);
  const size_t numKeys = padded(task->numKeys);
  const size_t biasBytes = (numKeys * sizeof(float) + 63) / 64 * 64;
  uint8_t* memory = (uint8_t*)aligned_alloc(64, biasBytes + (sizeof(Block) + 63) / 64 * 64);
  if (!memory || !attendOne) {
    free(memory);
    return -1;
  }
  float* bias = (float*)memory;
  for (size_t key = 0; key < numKeys; key++) bias[key] = key < task->numKeys ? task->bias[key] : -__builtin_inff();
  Block& block = *(Block*)(memory + biasBytes);
  const size_t perHead = (task->numQueries + QUERIES - 1) / QUERIES;
  for (size_t unit = task->unitStart; unit < perHead * task->numHeads; unit += task->unitStep)
    attendOne(*task, block, bias, unit / perHead, unit % perHead * QUERIES);
  free(memory);
  return 0;
}

}  // namespace LEVEL
