/* Weights of ggml's layouts, as elements of products. */
#include "read-weights.h"

namespace LEVEL {
namespace {

constexpr size_t BLOCK = 32;

inline float half(const uint8_t* bytes) {
  uint16_t bits;
  __builtin_memcpy(&bits, bytes, sizeof bits);
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}

inline void storeBytes16(__m128i values, float scale, Element* to) {
  alignas(16) int8_t bytes[16];
  _mm_store_si128((__m128i*)bytes, values);
  for (size_t i = 0; i < 16; i += LANES) storeElements(to + i, multiply(fromBytes(bytes + i), splat(scale)));
}

/* A block's 16 bytes, whose low halves are its first 16 elements, plus 8, and whose high halves are the others. */
inline void storeNibbles(__m128i bytes, float scale, Element* to) {
  const __m128i low = _mm_set1_epi8(15), eight = _mm_set1_epi8(8);
  storeBytes16(_mm_sub_epi8(_mm_and_si128(bytes, low), eight), scale, to);
  storeBytes16(_mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), low), eight), scale, to + 16);
}

#ifndef __AVX512BF16__
void readBf16(const uint8_t* from, size_t count, Element* to) {
  for (size_t i = 0; i < count; i++) {
    uint16_t half;
    __builtin_memcpy(&half, from + 2 * i, sizeof half);
    const uint32_t bits = (uint32_t)half << 16;
    __builtin_memcpy(to + i, &bits, sizeof bits);
  }
}
#endif

/* `struct block_q4_0`: a half, and 16 bytes. */
void readQ4(const uint8_t* blocks, size_t count, Element* to) {
  for (size_t k = 0; k < count; k += BLOCK, blocks += 18)
    storeNibbles(_mm_loadu_si128((const __m128i*)(blocks + 2)), half(blocks), to + k);
}

/* `struct block_q8_0`: a half, and 32 signed bytes. */
void readQ8(const uint8_t* blocks, size_t count, Element* to) {
  for (size_t k = 0; k < count; k += BLOCK, blocks += 34) {
    const float scale = half(blocks);
    storeBytes16(_mm_loadu_si128((const __m128i*)(blocks + 2)), scale, to + k);
    storeBytes16(_mm_loadu_si128((const __m128i*)(blocks + 18)), scale, to + k + 16);
  }
}

/*
 * `struct block_q4_0x8`: eight halves, then the bytes of eight rows, eight of each at a time, with the highest bit of
 * every half byte turned around.
 */
void readWoven(const uint8_t* blocks, size_t count, Element* rows, size_t stride) {
  constexpr size_t blockBytes = 8 * 18;
  const __m128i turned = _mm_set1_epi8((char)0x88);
  for (size_t k = 0; k < count; k += BLOCK, blocks += blockBytes) {
    for (size_t row = 0; row < 8; row++) {
      const uint8_t* first = blocks + 16 + 8 * row;
      const __m128i bytes =
          _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i*)first), _mm_loadl_epi64((const __m128i*)(first + 64)));
      storeNibbles(_mm_xor_si128(bytes, turned), half(blocks + 2 * row), rows + row * stride + k);
    }
  }
}

}  // namespace

void readWeights(
    const Weights* weights, size_t row, size_t numRows, size_t start, size_t count, Element* rows, float* scratch) {
  const size_t numHere = numRows - row < LANES ? numRows - row : LANES;
  if (weights->layout == WOVEN_Q4_0) {
    for (size_t r = 0; r < numHere; r += 8) {
      const uint8_t* blocks = weights->data + (row + r) * weights->rowBytes + start / BLOCK * (8 * 18);
      readWoven(blocks, count, rows + r * count, count);
    }
    return;
  }
  for (size_t r = 0; r < numHere; r++) {
    const uint8_t* data = weights->data + (row + r) * weights->rowBytes;
    Element* to = rows + r * count;
    switch (weights->layout) {
#ifndef __AVX512BF16__
      case PLAIN_BF16: readBf16(data + 2 * start, count, to); break;
#endif
      case PLAIN_Q4_0: readQ4(data + start / BLOCK * 18, count, to); break;
      case PLAIN_Q8_0: readQ8(data + start / BLOCK * 34, count, to); break;
      default:
        weights->toFloat(data + start / weights->blockLength * weights->blockBytes, scratch, (int64_t)count);
        toElements(scratch, to, count);
    }
  }
}

}  // namespace LEVEL
