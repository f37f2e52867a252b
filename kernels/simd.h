/*
 * What the operators need of a level of instructions: vectors of floats, and the elements that products are made of.
 *
 * With AVX-512 BF16 those are bfloat16, of which `vdpbf16ps` multiplies pairs of neighbours and adds both to a float; elsewhere they
 * are float32. A word is 32 bits: a pair of the former, or one of the latter.
 */
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

namespace LEVEL {

#ifdef __AVX512F__

constexpr size_t LANES = 16;
typedef __m512 Floats;
typedef __m512i Words;

/* The first `count` lanes. */
static inline __mmask16 firstOf(size_t count) { return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1); }
static inline Floats load(const float* from) { return _mm512_loadu_ps(from); }
static inline void store(float* to, Floats x) { _mm512_storeu_ps(to, x); }
static inline Floats loadFirst(const float* from, size_t count) { return _mm512_maskz_loadu_ps(firstOf(count), from); }
static inline void storeFirst(float* to, Floats x, size_t count) { _mm512_mask_storeu_ps(to, firstOf(count), x); }
static inline Words loadWords(const void* from) { return _mm512_loadu_si512(from); }
static inline void storeWords(void* to, Words x) { _mm512_storeu_si512(to, x); }
static inline Words firstWords(const void* from, size_t count) { return _mm512_maskz_loadu_epi32(firstOf(count), from); }
static inline Words noWords() { return _mm512_setzero_si512(); }
static inline Floats zeros() { return _mm512_setzero_ps(); }
static inline Floats splat(float x) { return _mm512_set1_ps(x); }
static inline Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
static inline Floats subtract(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
static inline Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
static inline Floats divide(Floats a, Floats b) { return _mm512_div_ps(a, b); }
static inline Floats multiplyAdd(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
static inline Floats larger(Floats a, Floats b) { return _mm512_max_ps(a, b); }
static inline Floats magnitudeOf(Floats x) { return _mm512_abs_ps(x); }
static inline Floats nearest(Floats x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/* x · 2^exponent, for whole exponents. */
static inline Floats scaled(Floats x, Floats exponent) { return _mm512_scalef_ps(x, exponent); }
static inline Floats whereNegative(Floats x, Floats then, Floats otherwise) {
  return _mm512_mask_mov_ps(otherwise, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), then);
}
static inline float largestOf(Floats x) { return _mm512_reduce_max_ps(x); }
static inline float sumOf(Floats x) { return _mm512_reduce_add_ps(x); }
static inline float firstOf(Floats x) { return _mm512_cvtss_f32(x); }
/* Signed bytes, as many as there are lanes. */
static inline Floats fromBytes(const int8_t* bytes) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)bytes)));
}

/* Transposes a square of words. */
static inline void transpose(Words r[LANES]) {
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

#else

constexpr size_t LANES = 8;
typedef __m256 Floats;
typedef __m256i Words;

/* The first `count` lanes. */
static inline __m256i firstLanes(size_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count > 8 ? 8 : (int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline Floats load(const float* from) { return _mm256_loadu_ps(from); }
static inline void store(float* to, Floats x) { _mm256_storeu_ps(to, x); }
static inline Floats loadFirst(const float* from, size_t count) { return _mm256_maskload_ps(from, firstLanes(count)); }
static inline void storeFirst(float* to, Floats x, size_t count) { _mm256_maskstore_ps(to, firstLanes(count), x); }
static inline Words loadWords(const void* from) { return _mm256_loadu_si256((const __m256i*)from); }
static inline void storeWords(void* to, Words x) { _mm256_storeu_si256((__m256i*)to, x); }
static inline Words firstWords(const void* from, size_t count) { return _mm256_maskload_epi32((const int*)from, firstLanes(count)); }
static inline Words noWords() { return _mm256_setzero_si256(); }
static inline Floats zeros() { return _mm256_setzero_ps(); }
static inline Floats splat(float x) { return _mm256_set1_ps(x); }
static inline Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
static inline Floats subtract(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
static inline Floats multiply(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
static inline Floats divide(Floats a, Floats b) { return _mm256_div_ps(a, b); }
static inline Floats multiplyAdd(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
static inline Floats larger(Floats a, Floats b) { return _mm256_max_ps(a, b); }
static inline Floats magnitudeOf(Floats x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
static inline Floats nearest(Floats x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/* x · 2^exponent, for whole exponents; 0 below the least that a float has with all of its digits. */
static inline Floats scaled(Floats x, Floats exponent) {
  const __m256i bits = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(exponent), _mm256_set1_epi32(127)), 23);
  const __m256 isNormal = _mm256_cmp_ps(exponent, _mm256_set1_ps(-126.0f), _CMP_GE_OQ);
  return _mm256_and_ps(isNormal, _mm256_mul_ps(x, _mm256_castsi256_ps(bits)));
}
static inline Floats whereNegative(Floats x, Floats then, Floats otherwise) { return _mm256_blendv_ps(otherwise, then, x); }
static inline float largestOf(Floats x) {
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}
static inline float sumOf(Floats x) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
static inline float firstOf(Floats x) { return _mm256_cvtss_f32(x); }
/* Signed bytes, as many as there are lanes. */
static inline Floats fromBytes(const int8_t* bytes) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)bytes)));
}

/* Transposes a square of words. */
static inline void transpose(Words r[LANES]) {
  __m256i t[8];
  for (int i = 0; i < 4; i++) {
    t[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
  __m256i u[8];
  for (int i = 0; i < 2; i++) {
    u[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    u[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    u[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    u[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    r[i] = _mm256_permute2x128_si256(u[i], u[4 + i], 0x20);
    r[4 + i] = _mm256_permute2x128_si256(u[i], u[4 + i], 0x31);
  }
}

#endif

#ifdef __AVX512BF16__

typedef uint16_t Element;
/* Elements of a word. */
constexpr size_t PAIR = 2;

/* acc[lane] += a.low·b[lane].low + a.high·b[lane].high */
static inline Floats addWords(Floats acc, uint32_t a, Words b) {
  return _mm512_dpbf16_ps(acc, (__m512bh)_mm512_set1_epi32((int)a), (__m512bh)b);
}
static inline __m256i toBf16(Floats x) { return (__m256i)_mm512_cvtneps_pbh(x); }
/* Rounded to the nearest, of two to the even one. */
static inline void storeElements(Element* to, Floats x) { _mm256_storeu_si256((__m256i*)to, toBf16(x)); }
static inline void storeFirstElements(Element* to, Floats x, size_t count) {
  _mm256_mask_storeu_epi16(to, firstOf(count), toBf16(x));
}
/* Words whose elements are of both. */
static inline Words wordsOf(Floats low, Floats high) {
  return _mm512_or_si512(
      _mm512_cvtepu16_epi32(toBf16(low)), _mm512_slli_epi32(_mm512_cvtepu16_epi32(toBf16(high)), 16));
}

#else

typedef float Element;
constexpr size_t PAIR = 1;

static inline Floats addWords(Floats acc, uint32_t a, Words b) {
  float x;
  __builtin_memcpy(&x, &a, sizeof x);
  return multiplyAdd(splat(x), (Floats)b, acc);
}
static inline void storeElements(Element* to, Floats x) { store(to, x); }
static inline void storeFirstElements(Element* to, Floats x, size_t count) { storeFirst(to, x, count); }
static inline Words wordsOf(Floats x, Floats) { return (Words)x; }

#endif

static inline void toElements(const float* from, Element* to, size_t count) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) storeElements(to + i, load(from + i));
  if (i < count) storeFirstElements(to + i, loadFirst(from + i, count - i), count - i);
}

}  // namespace LEVEL
