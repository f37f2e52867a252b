/*
 * Products of few rows, of one token's most of all, with quantized weights as they lie in their file: a step of an answer reads
 * every weight once, so all that counts is to keep up with memory.
 *
 * Pieces of weights are unpacked once for several rows, into unsigned bytes; VPDPBUSD multiplies them with the input's signed
 * ones. What the format subtracts from its weights is subtracted as a product with sums of the input, which are made once.
 *
 * Layouts: `block_q4_0`, `block_q8_0`, `block_q4_K`, `block_q5_K`, `block_q6_K` of ggml 0.23.0's ggml-common.h.
 */
#include "few-rows.h"

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

namespace {

inline __m512 half16(const uint8_t* bytes) {
  uint16_t bits;
  memcpy(&bits, bytes, sizeof bits);
  return _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}

inline __m512i dot(__m512i sums, __m512i weights, const void* input) {
  return _mm512_dpbusd_epi32(sums, weights, _mm512_load_si512(input));
}

inline __m512 floats(__m512i integers) { return _mm512_cvtepi32_ps(integers); }

/* ---- q4_0 and q8_0: four blocks of 32 at a time. ---- */

/* Of one row: per four blocks, first halves, second halves, what the sums begin with, and scales, each of a block in four lanes. */
struct alignas(64) Input32 {
  int8_t first[64], second[64];
  int32_t start[16];
  float scales[16];
};

struct Unpacked32 {
  __m512i first, second;
  __m512 scales;
};

template <size_t BLOCK_BYTES>
inline __m512 scalesOf4(const uint8_t* blocks) {
  uint64_t bits = 0;
  for (size_t b = 0; b < 4; b++) {
    uint16_t half;
    memcpy(&half, blocks + b * BLOCK_BYTES, sizeof half);
    bits |= (uint64_t)half << (16 * b);
  }
  const __m512i spread = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
  const __m128 four = _mm_cvtph_ps(_mm_cvtsi64_si128((int64_t)bits));
  return _mm512_permutexvar_ps(spread, _mm512_castps128_ps512(four));
}

template <size_t BLOCK_BYTES>
inline __m512i bytesOf4(const uint8_t* blocks, size_t at) {
  __m512i all = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i*)(blocks + at)));
  all = _mm512_inserti32x4(all, _mm_loadu_si128((const __m128i*)(blocks + BLOCK_BYTES + at)), 1);
  all = _mm512_inserti32x4(all, _mm_loadu_si128((const __m128i*)(blocks + 2 * BLOCK_BYTES + at)), 2);
  return _mm512_inserti32x4(all, _mm_loadu_si128((const __m128i*)(blocks + 3 * BLOCK_BYTES + at)), 3);
}

struct Q4_0 {
  using Input = Input32;
  using Unpacked = Unpacked32;
  static constexpr size_t PIECE = 128, PIECE_BYTES = 4 * 18;
  /* What is multiplied at a time: weights and sums of as many fit the registers. */
  static constexpr size_t COLUMNS = 4, ROWS = 4;
  /* What is added to a weight to make it unsigned. */
  static constexpr int OFFSET = 8;
  static inline Unpacked unpack(const uint8_t* blocks) {
    const __m512i low = _mm512_set1_epi8(15);
    const __m512i bytes = bytesOf4<18>(blocks, 2);
    return {_mm512_and_si512(bytes, low), _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low), scalesOf4<18>(blocks)};
  }
};

struct Q8_0 {
  using Input = Input32;
  using Unpacked = Unpacked32;
  static constexpr size_t PIECE = 128, PIECE_BYTES = 4 * 34;
  static constexpr size_t COLUMNS = 4, ROWS = 4;
  static constexpr int OFFSET = 128;
  static inline Unpacked unpack(const uint8_t* blocks) {
    const __m512i turned = _mm512_set1_epi8((char)0x80);
    return {_mm512_xor_si512(bytesOf4<34>(blocks, 2), turned), _mm512_xor_si512(bytesOf4<34>(blocks, 18), turned),
            scalesOf4<34>(blocks)};
  }
};

inline __m512 accumulate(__m512 sum, const Unpacked32& weights, const Input32& input) {
  const __m512i sums =
      dot(dot(_mm512_load_si512(input.start), weights.first, input.first), weights.second, input.second);
  return _mm512_fmadd_ps(floats(sums), _mm512_mul_ps(weights.scales, _mm512_load_ps(input.scales)), sum);
}

/* To the nearest half, as ggml stores a scale. */
inline float throughHalf(float value) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtps_ph(_mm_set_ss(value), _MM_FROUND_TO_NEAREST_INT)));
}

/* 16 elements of input times a factor → bytes, to the nearest. */
inline __m128i bytes16(const float* values, __m512 factor) {
  return _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(values), factor)));
}

/* @see quantize_row_q8_0 */
void readInput(const float* values, int offset, Input32* to) {
  alignas(64) int8_t bytes[2][64];
  for (size_t b = 0; b < 4; b++, values += 32) {
    const __m512 largest = _mm512_max_ps(_mm512_abs_ps(_mm512_loadu_ps(values)), _mm512_abs_ps(_mm512_loadu_ps(values + 16)));
    const float scale = _mm512_reduce_max_ps(largest) / 127.f;
    const __m512 factor = _mm512_set1_ps(scale == 0 ? 0.f : 1.f / scale);
    _mm_store_si128((__m128i*)(bytes[0] + 16 * b), bytes16(values, factor));
    _mm_store_si128((__m128i*)(bytes[1] + 16 * b), bytes16(values + 16, factor));
    const float rounded = throughHalf(scale);
    for (size_t lane = 0; lane < 4; lane++) to->scales[4 * b + lane] = rounded;
  }
  memcpy(to->first, bytes[0], 64);
  memcpy(to->second, bytes[1], 64);
  const __m512i ones = _mm512_set1_epi8(1);
  const __m512i sums = _mm512_dpbusd_epi32(
      _mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, _mm512_load_si512(to->first)), ones, _mm512_load_si512(to->second));
  _mm512_store_si512(to->start, _mm512_mullo_epi32(sums, _mm512_set1_epi32(-offset)));
}

/* ---- q4_K, q5_K, q6_K: a block of 256 at a time. ---- */

/* Of one row: per block its bytes in the order that weights are unpacked in, its scale, and sums of its elements times that. */
struct alignas(64) Input256 {
  int8_t bytes[4][64];
  float scale;
  /* q4_K, q5_K: of 32 elements each, in eight lanes; q6_K: 32 times those of 16 each. */
  alignas(64) float sums[16];
};

struct Unpacked256 {
  __m512i bytes[4];
  __m512 scales[4];
  /* What is subtracted, by lane of `sums`. */
  __m512 less;
};

inline __m512 accumulate(__m512 sum, const Unpacked256& weights, const Input256& input) {
  const __m512i zero = _mm512_setzero_si512();
  __m512 part = _mm512_mul_ps(floats(dot(zero, weights.bytes[0], input.bytes[0])), weights.scales[0]);
  for (size_t i = 1; i < 4; i++)
    part = _mm512_fmadd_ps(floats(dot(zero, weights.bytes[i], input.bytes[i])), weights.scales[i], part);
  sum = _mm512_fnmadd_ps(weights.less, _mm512_load_ps(input.sums), sum);
  return _mm512_fmadd_ps(part, _mm512_set1_ps(input.scale), sum);
}

/* Eight scales and eight minima of six bits each, in twelve bytes; → bytes. @see get_scale_min_k4 */
inline __m256i scalesAndMinima(const uint8_t* packed) {
  uint32_t words[4];
  memcpy(words, packed, 12);
  const uint32_t low6 = 0x3f3f3f3f, low4 = 0x0f0f0f0f, low2 = 0x03030303;
  words[3] = ((words[2] >> 4) & low4) | (((words[1] >> 6) & low2) << 4);
  const uint32_t minima = words[1] & low6;
  words[1] = (words[2] & low4) | (((words[0] >> 6) & low2) << 4);
  words[2] = minima;
  words[0] &= low6;
  return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i*)words));
}

/* q4_K, q5_K: scale of sub-blocks by lane of each of the four vectors of bytes, and minima. */
inline void readScales(const uint8_t* block, Unpacked256& to) {
  const __m512 all = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(scalesAndMinima(block + 4)));
  const __m512 scales = _mm512_mul_ps(all, half16(block));
  const __m512i pair = _mm512_set_epi32(2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m512i one = _mm512_set1_epi32(1), four = _mm512_set1_epi32(4);
  to.scales[0] = _mm512_permutexvar_ps(pair, scales);
  to.scales[1] = _mm512_permutexvar_ps(_mm512_add_epi32(pair, one), scales);
  const __m512i next = _mm512_add_epi32(pair, four);
  to.scales[2] = _mm512_permutexvar_ps(next, scales);
  to.scales[3] = _mm512_permutexvar_ps(_mm512_add_epi32(next, one), scales);
  /* The eight upper lanes, to the lower ones. */
  const __m512 minima = _mm512_mul_ps(all, half16(block + 2));
  to.less = _mm512_maskz_shuffle_f32x4(0x00ff, minima, minima, 0x0e);
}

struct Q4_K {
  using Input = Input256;
  using Unpacked = Unpacked256;
  static constexpr size_t PIECE = 256, PIECE_BYTES = 144;
  static constexpr size_t COLUMNS = 2, ROWS = 8;
  static constexpr int OFFSET = 0;
  /* Elements by 32, in the order of the four vectors of bytes. */
  static constexpr uint8_t ORDER[8] = {0, 2, 1, 3, 4, 6, 5, 7};
  static inline Unpacked unpack(const uint8_t* block) {
    Unpacked to;
    readScales(block, to);
    const __m512i low = _mm512_set1_epi8(15);
    for (size_t i = 0; i < 2; i++) {
      const __m512i bytes = _mm512_loadu_si512(block + 16 + 64 * i);
      to.bytes[2 * i] = _mm512_and_si512(bytes, low);
      to.bytes[2 * i + 1] = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low);
    }
    return to;
  }
};

/* The same 32 bytes twice, shifted right by one count in each half. */
inline __m512i shifted(__m512i twice, int first, int second) {
  return _mm512_srlv_epi32(twice, _mm512_inserti64x4(_mm512_set1_epi32(first), _mm256_set1_epi32(second), 1));
}

struct Q5_K {
  using Input = Input256;
  using Unpacked = Unpacked256;
  static constexpr size_t PIECE = 256, PIECE_BYTES = 176;
  static constexpr size_t COLUMNS = 2, ROWS = 8;
  static constexpr int OFFSET = 0;
  static constexpr uint8_t ORDER[8] = {0, 2, 1, 3, 4, 6, 5, 7};
  static inline Unpacked unpack(const uint8_t* block) {
    Unpacked to;
    readScales(block, to);
    const __m512i low = _mm512_set1_epi8(15), fifth = _mm512_set1_epi8(16), bit = _mm512_set1_epi8(1);
    const __m512i high = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i*)(block + 16)));
    for (int i = 0; i < 2; i++) {
      const __m512i bytes = _mm512_loadu_si512(block + 48 + 64 * i);
      const __m512i even = _mm512_and_si512(shifted(high, 4 * i, 4 * i + 2), bit);
      const __m512i odd = _mm512_and_si512(shifted(high, 4 * i + 1, 4 * i + 3), bit);
      /* (bytes & 15) | (bit << 4) */
      to.bytes[2 * i] = _mm512_or_si512(_mm512_and_si512(bytes, low), _mm512_and_si512(_mm512_slli_epi16(even, 4), fifth));
      to.bytes[2 * i + 1] = _mm512_or_si512(
          _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low), _mm512_and_si512(_mm512_slli_epi16(odd, 4), fifth));
    }
    return to;
  }
};

struct Q6_K {
  using Input = Input256;
  using Unpacked = Unpacked256;
  static constexpr size_t PIECE = 256, PIECE_BYTES = 210;
  static constexpr size_t COLUMNS = 2, ROWS = 8;
  static constexpr int OFFSET = 32;
  static constexpr uint8_t ORDER[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  static inline Unpacked unpack(const uint8_t* block) {
    Unpacked to;
    const __m128i signedScales = _mm_loadu_si128((const __m128i*)(block + 192));
    const __m512 scales = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(signedScales)), half16(block + 208));
    const __m512i spread = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    const __m512i low = _mm512_set1_epi8(15), upper = _mm512_set1_epi8(0x30);
    for (int i = 0; i < 2; i++) {
      const __m512i bytes = _mm512_loadu_si512(block + 64 * i);
      const __m512i high = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i*)(block + 128 + 32 * i)));
      /* Bits 0, 1 and 2, 3 to 4, 5; then bits 4, 5 and 6, 7. */
      const __m512i left = _mm512_sllv_epi32(high, _mm512_inserti64x4(_mm512_set1_epi32(4), _mm256_set1_epi32(2), 1));
      to.bytes[2 * i] = _mm512_or_si512(_mm512_and_si512(bytes, low), _mm512_and_si512(left, upper));
      to.bytes[2 * i + 1] = _mm512_or_si512(
          _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low), _mm512_and_si512(shifted(high, 0, 2), upper));
    }
    for (int i = 0; i < 4; i++)
      to.scales[i] = _mm512_permutexvar_ps(_mm512_add_epi32(spread, _mm512_set1_epi32(4 * i)), scales);
    to.less = scales;
    return to;
  }
};

/* @see quantize_row_q8_K_ref */
template <class Format>
void readInput(const float* values, Input256* to) {
  __m512 most = _mm512_setzero_ps(), least = _mm512_setzero_ps();
  for (size_t k = 0; k < 256; k += 16) {
    most = _mm512_max_ps(most, _mm512_loadu_ps(values + k));
    least = _mm512_min_ps(least, _mm512_loadu_ps(values + k));
  }
  const float above = _mm512_reduce_max_ps(most), below = _mm512_reduce_min_ps(least);
  const float extreme = above >= -below ? above : below;
  const float inverse = extreme == 0 ? 0.f : -127.f / extreme;
  to->scale = extreme == 0 ? 0.f : 1.f / inverse;
  const __m512 factor = _mm512_set1_ps(inverse);
  alignas(64) int8_t bytes[256];
  alignas(64) float sums[16];
  for (size_t i = 0; i < 16; i++) {
    const __m512i whole = _mm512_min_epi32(
        _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(values + 16 * i), factor)), _mm512_set1_epi32(127));
    _mm_store_si128((__m128i*)(bytes + 16 * i), _mm512_cvtsepi32_epi8(whole));
    sums[i] = (float)_mm512_reduce_add_epi32(whole) * to->scale;
  }
  for (size_t i = 0; i < 8; i++) memcpy((int8_t*)to->bytes + 32 * i, bytes + 32 * Format::ORDER[i], 32);
  for (size_t i = 0; i < 16; i++) {
    if (Format::OFFSET != 0) to->sums[i] = (float)Format::OFFSET * sums[i];
    else to->sums[i] = i < 8 ? sums[2 * i] + sums[2 * i + 1] : 0.f;
  }
}

template <class Format>
void readPiece(const float* values, Input32* to) { readInput(values, Format::OFFSET, to); }
template <class Format>
void readPiece(const float* values, Input256* to) { readInput<Format>(values, to); }

/* ---- The product. ---- */

/* Of weights that are read next, ahead of time; past the end it is harmless. */
constexpr size_t AHEAD = 6144;

template <class Format, size_t NC, size_t NR>
inline void multiplyTile(
    const uint8_t* weights, size_t rowBytes, const typename Format::Input* input, size_t numPieces, float* output,
    size_t outputStride) {
  __m512 sums[NC][NR];
#pragma GCC unroll 8
  for (size_t c = 0; c < NC; c++)
#pragma GCC unroll 8
    for (size_t r = 0; r < NR; r++) sums[c][r] = _mm512_setzero_ps();
  for (size_t piece = 0; piece < numPieces; piece++) {
    typename Format::Unpacked unpacked[NC];
#pragma GCC unroll 8
    for (size_t c = 0; c < NC; c++) {
      const uint8_t* at = weights + c * rowBytes + piece * Format::PIECE_BYTES;
      for (size_t ahead = 0; ahead < Format::PIECE_BYTES; ahead += 64) _mm_prefetch((const char*)(at + AHEAD + ahead), _MM_HINT_T0);
      unpacked[c] = Format::unpack(at);
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < NR; r++)
#pragma GCC unroll 8
      for (size_t c = 0; c < NC; c++) sums[c][r] = accumulate(sums[c][r], unpacked[c], input[r * numPieces + piece]);
  }
#pragma GCC unroll 8
  for (size_t c = 0; c < NC; c++)
#pragma GCC unroll 8
    for (size_t r = 0; r < NR; r++) output[r * outputStride + c] = _mm512_reduce_add_ps(sums[c][r]);
}

/* A tile of fewer rows than a whole one has. */
template <class Format, size_t NC, size_t MOST>
struct Tiles {
  template <class... Parts>
  static inline void multiply(size_t numRows, Parts... parts) {
    if (numRows == MOST) multiplyTile<Format, NC, MOST>(parts...);
    else Tiles<Format, NC, MOST - 1>::multiply(numRows, parts...);
  }
};
template <class Format, size_t NC>
struct Tiles<Format, NC, 0> {
  template <class... Parts>
  static inline void multiply(size_t, Parts...) {}
};

/* All rows by some columns, whose weights stay in the first-level cache. */
template <class Format, size_t NC>
inline void multiplyRows(const FewRows* task, const typename Format::Input* input, size_t column) {
  constexpr size_t ROWS = Format::ROWS;
  const size_t numPieces = task->width / Format::PIECE;
  const uint8_t* weights = task->weights + column * task->rowBytes;
  float* output = task->output + column;
  size_t left = task->numRows;
  for (; left >= ROWS; left -= ROWS) {
    multiplyTile<Format, NC, ROWS>(weights, task->rowBytes, input, numPieces, output, task->outputStride);
    input += ROWS * numPieces;
    output += ROWS * task->outputStride;
  }
  if (left > 0) Tiles<Format, NC, ROWS - 1>::multiply(left, weights, task->rowBytes, input, numPieces, output, task->outputStride);
}

template <class Format>
int multiply(const FewRows* task) {
  using Input = typename Format::Input;
  const size_t numPieces = task->width / Format::PIECE;
  Input* input = (Input*)aligned_alloc(64, task->numRows * numPieces * sizeof(Input));
  if (!input) return -1;
  for (size_t row = 0; row < task->numRows; row++)
    for (size_t piece = 0; piece < numPieces; piece++)
      readPiece<Format>(task->input + row * task->inputStride + piece * Format::PIECE, input + row * numPieces + piece);
  constexpr size_t COLUMNS = Format::COLUMNS;
  size_t column = task->columnStart;
  /* One row is read a column at a time, in one stream. */
  if (task->numRows > 1)
    for (; column + COLUMNS <= task->columnEnd; column += COLUMNS) multiplyRows<Format, COLUMNS>(task, input, column);
  for (; column < task->columnEnd; column++) multiplyRows<Format, 1>(task, input, column);
  free(input);
  return 0;
}

}  // namespace

size_t fewRowsPiece(FewRowsType type) { return type == FEW_Q4_0 || type == FEW_Q8_0 ? 128 : 256; }

int multiplyFewRows(const FewRows* task) {
  switch (task->type) {
    case FEW_Q4_0: return multiply<Q4_0>(task);
    case FEW_Q8_0: return multiply<Q8_0>(task);
    case FEW_Q4_K: return multiply<Q4_K>(task);
    case FEW_Q5_K: return multiply<Q5_K>(task);
    default: return multiply<Q6_K>(task);
  }
}
