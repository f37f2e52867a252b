/* bfloat16 and its products: `vdpbf16ps` multiplies pairs of neighbours and adds both to a float. */
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef uint16_t bf16;

/* acc[lane] += a.low·b[lane].low + a.high·b[lane].high */
static inline __m512 addPairs(__m512 acc, uint32_t a, __m512i b) {
  return _mm512_dpbf16_ps(acc, (__m512bh)_mm512_set1_epi32((int)a), (__m512bh)b);
}

static inline __m256i toBf16(__m512 x) { return (__m256i)_mm512_cvtneps_pbh(x); }

/* `count` floats, rounded to nearest even. */
static inline void toBf16Row(const float* from, bf16* to, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16)
    _mm256_storeu_si256((__m256i*)(to + i), toBf16(_mm512_loadu_ps(from + i)));
  if (i < count) {
    const __mmask16 rest = (__mmask16)((1u << (count - i)) - 1);
    _mm256_mask_storeu_epi16(to + i, rest, toBf16(_mm512_maskz_loadu_ps(rest, from + i)));
  }
}

/* Transposes a square of 16 × 16 words of 32 bits. */
static inline void transpose16(__m512i r[16]) {
  __m512i t[16];
  for (int i = 0; i < 8; i++) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 4; i++) {
    r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
    t[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
    t[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
    t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
  }
  for (int i = 0; i < 4; i++) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
    r[4 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88);
    r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
    r[12 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xdd);
  }
}
