/* Attention of many queries to many keys, without storing the scores of more than a few at a time. */
#include "attention.h"

#include <stdlib.h>

#include "panel.h"
#include "vector-math.h"

namespace {

constexpr size_t QUERIES = 30; /* at a time; a multiple of every number of rows below */
constexpr size_t KEYS = 256;   /* at a time: panels of scores that stay in the first-level cache */
constexpr float LOG2E = 1.44269504f;
/* Lower than any score, and no infinity: differences with it are numbers. */
constexpr float LOWEST = -1e30f;

inline size_t padded(size_t numKeys) { return (numKeys + PANEL - 1) / PANEL * PANEL; }

struct Block {
  bf16 query[QUERIES * 128];
  float scores[QUERIES * KEYS];
  bf16 weights[QUERIES * KEYS];
  float sums[QUERIES * 128];
  float largest[QUERIES];
  float total[QUERIES];
  float decay[QUERIES];
};

/* Scores of six queries and 64 keys, times log2(e), bias included. */
inline void scorePanel(const bf16* query, size_t headSize, const uint32_t* panel, const float* bias, float* scores) {
  __m512 sums[6][VECTORS];
#pragma GCC unroll 4
  for (int v = 0; v < VECTORS; v++) {
    const __m512 start = _mm512_mul_ps(_mm512_loadu_ps(bias + 16 * v), _mm512_set1_ps(LOG2E));
#pragma GCC unroll 6
    for (size_t r = 0; r < 6; r++) sums[r][v] = start;
  }
  const uint32_t* rows = (const uint32_t*)query;
  const size_t numWords = headSize / 2;
  for (size_t word = 0; word < numWords; word++, panel += PANEL) {
    __m512i keys[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) keys[v] = _mm512_loadu_si512(panel + 16 * v);
#pragma GCC unroll 6
    for (size_t r = 0; r < 6; r++) {
      const uint32_t pair = rows[r * numWords + word];
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) sums[r][v] = addPairs(sums[r][v], pair, keys[v]);
    }
  }
#pragma GCC unroll 6
  for (size_t r = 0; r < 6; r++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) _mm512_storeu_ps(scores + r * KEYS + 16 * v, sums[r][v]);
}

/* Weights of one query's `numKeys` scores (a multiple of 64) against the largest so far; what was summed decays to it. */
inline void weigh(Block& block, size_t row, size_t numKeys) {
  const float* scores = block.scores + row * KEYS;
  __m512 most = _mm512_loadu_ps(scores);
  for (size_t k = 16; k < numKeys; k += 16) most = _mm512_max_ps(most, _mm512_loadu_ps(scores + k));
  const float before = block.largest[row];
  const float here = _mm512_reduce_max_ps(most);
  const float largest = here > before ? here : before;
  const __m512 top = _mm512_set1_ps(largest);
  __m512 total = _mm512_setzero_ps();
  bf16* weights = block.weights + row * KEYS;
  for (size_t k = 0; k < numKeys; k += 16) {
    const __m512 weight = exp2of16(_mm512_sub_ps(_mm512_loadu_ps(scores + k), top));
    total = _mm512_add_ps(total, weight);
    _mm256_storeu_si256((__m256i*)(weights + k), toBf16(weight));
  }
  const float decay = _mm512_cvtss_f32(exp2of16(_mm512_set1_ps(before - largest)));
  block.largest[row] = largest;
  block.decay[row] = decay;
  block.total[row] = block.total[row] * decay + _mm512_reduce_add_ps(total);
}

/* Adds the values of `numKeys` keys, weighed, to what MR queries have. */
template <size_t MR, int NV>
inline void addValues(Block& block, size_t row, const uint32_t* values, size_t numKeys) {
  constexpr size_t headSize = 16 * NV;
  __m512 sums[MR][NV];
#pragma GCC unroll 6
  for (size_t r = 0; r < MR; r++)
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++)
      sums[r][v] = _mm512_mul_ps(
          _mm512_loadu_ps(block.sums + (row + r) * headSize + 16 * (size_t)v), _mm512_set1_ps(block.decay[row + r]));
  const uint32_t* weights = (const uint32_t*)(block.weights + row * KEYS);
  for (size_t word = 0; word < numKeys / 2; word++, values += headSize) {
    __m512i vectors[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) vectors[v] = _mm512_loadu_si512(values + 16 * v);
#pragma GCC unroll 6
    for (size_t r = 0; r < MR; r++) {
      const uint32_t pair = weights[r * (KEYS / 2) + word];
#pragma GCC unroll 8
      for (int v = 0; v < NV; v++) sums[r][v] = addPairs(sums[r][v], pair, vectors[v]);
    }
  }
#pragma GCC unroll 6
  for (size_t r = 0; r < MR; r++)
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++)
      _mm512_storeu_ps(block.sums + (row + r) * headSize + 16 * (size_t)v, sums[r][v]);
}

/* As many queries at once as the registers have room for sums. */
constexpr size_t rowsFor(int numVectors) { return numVectors <= 4 ? 6 : numVectors == 5 ? 5 : 3; }

template <int NV>
void attendBlock(const Attend& task, Block& block, const float* bias, size_t head, size_t start) {
  constexpr size_t headSize = 16 * NV;
  const size_t left = task.numQueries - start;
  const size_t numQueries = left < QUERIES ? left : QUERIES;
  const size_t numKeys = padded(task.numKeys);
  const bf16* keys = task.packed + head * 2 * numKeys * headSize;
  const bf16* values = keys + numKeys * headSize;
  const __m512 scale = _mm512_set1_ps(task.scale * LOG2E);
  for (size_t row = 0; row < QUERIES; row++) {
    for (size_t c = 0; c < headSize; c += 16) {
      const __m512 query =
          row < numQueries ? _mm512_loadu_ps(task.query + ((start + row) * task.numHeads + head) * headSize + c)
                           : _mm512_setzero_ps();
      _mm256_storeu_si256((__m256i*)(block.query + row * headSize + c), toBf16(_mm512_mul_ps(query, scale)));
      _mm512_storeu_ps(block.sums + row * headSize + c, _mm512_setzero_ps());
    }
    block.largest[row] = LOWEST;
    block.total[row] = 0;
  }
  const size_t numRows = (numQueries + 5) / 6 * 6;
  constexpr size_t atOnce = rowsFor(NV);
  for (size_t key = 0; key < numKeys; key += KEYS) {
    const size_t keysHere = numKeys - key < KEYS ? numKeys - key : KEYS;
    for (size_t k = 0; k < keysHere; k += PANEL)
      for (size_t row = 0; row < numRows; row += 6)
        scorePanel(
            block.query + row * headSize, headSize, (const uint32_t*)(keys + (key + k) * headSize), bias + key + k,
            block.scores + row * KEYS + k);
    for (size_t row = 0; row < numQueries; row++) weigh(block, row, keysHere);
    for (size_t row = 0; row < numQueries; row += atOnce)
      addValues<atOnce, NV>(block, row, (const uint32_t*)(values + key * headSize), keysHere);
  }
  for (size_t row = 0; row < numQueries; row++) {
    const __m512 inverse = _mm512_set1_ps(block.total[row] > 0 ? 1 / block.total[row] : 0);
    float* out = task.output + ((start + row) * task.numHeads + head) * headSize;
    for (size_t c = 0; c < headSize; c += 16)
      _mm512_storeu_ps(out + c, _mm512_mul_ps(_mm512_loadu_ps(block.sums + row * headSize + c), inverse));
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
  return numHeads * 2 * padded(numKeys) * headSize;
}

int packKeys(const PackKeys* task) {
  const size_t headSize = task->headSize;
  const size_t numKeys = padded(task->numKeys);
  bf16 rows[PANEL * 128];
  for (size_t head = task->headStart; head < task->headEnd; head++) {
    bf16* keys = task->packed + head * 2 * numKeys * headSize;
    bf16* values = keys + numKeys * headSize;
    for (size_t key = 0; key < numKeys; key += PANEL) {
      const size_t left = task->numKeys - key;
      const size_t numHere = left < PANEL ? left : PANEL;
      for (size_t k = 0; k < numHere; k++)
        toBf16Row(task->keys + ((key + k) * task->numHeads + head) * headSize, rows + k * headSize, headSize);
      packPanel(rows, headSize, numHere, headSize, (uint32_t*)(keys + key * headSize));
      for (size_t k = 0; k < PANEL; k += 2) {
        uint32_t* words = (uint32_t*)(values + (key + k) * headSize);
        for (size_t c = 0; c < headSize; c += 16) {
          const float* value = task->values + ((key + k) * task->numHeads + head) * headSize + c;
          const __m256i zero = _mm256_setzero_si256();
          const __m256i even = k < numHere ? toBf16(_mm512_loadu_ps(value)) : zero;
          const __m256i odd =
              k + 1 < numHere ? toBf16(_mm512_loadu_ps(value + task->numHeads * headSize)) : zero;
          _mm512_storeu_si512(
              words + c, _mm512_or_si512(_mm512_cvtepu16_epi32(even), _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16)));
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
