/* Functions of sixteen floats at once. */
#pragma once
#include <immintrin.h>

/* 2^x to a relative 3e-7 where x < 128; 0 for what is far below, as for -infinity. */
static inline __m512 exp2of16(__m512 x) {
  const __m512 t = _mm512_max_ps(x, _mm512_set1_ps(-160.0f));
  const __m512 whole = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 rest = _mm512_sub_ps(t, whole);
  /* 2^rest on [-1/2, 1/2] by its Taylor series. */
  __m512 p = _mm512_set1_ps(1.54035304e-4f);
  p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(1.33335581e-3f));
  p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(9.61812911e-3f));
  p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(5.55041087e-2f));
  p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(2.40226507e-1f));
  p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(6.93147181e-1f));
  p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, whole);
}

/*
 * x/2 · (1 + erf(x/√2)), with erf to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
 */
static inline __m512 gelu16(__m512 x) {
  const __m512 magnitude = _mm512_abs_ps(_mm512_mul_ps(x, _mm512_set1_ps(0.70710678f)));
  const __m512 t = _mm512_div_ps(
      _mm512_set1_ps(1.0f), _mm512_fmadd_ps(magnitude, _mm512_set1_ps(0.3275911f), _mm512_set1_ps(1.0f)));
  __m512 p = _mm512_set1_ps(1.061405429f);
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-1.453152027f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(1.421413741f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-0.284496736f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.254829592f));
  const __m512 square = _mm512_mul_ps(magnitude, magnitude);
  const __m512 complement = _mm512_mul_ps(_mm512_mul_ps(p, t), exp2of16(_mm512_mul_ps(square, _mm512_set1_ps(-1.44269504f))));
  /* Where x < 0, 1 + erf is the complement itself: nothing is lost by a difference. */
  const __mmask16 isNegative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
  const __m512 onePlusErf =
      _mm512_mask_mov_ps(_mm512_sub_ps(_mm512_set1_ps(2.0f), complement), isNegative, complement);
  return _mm512_mul_ps(_mm512_mul_ps(x, _mm512_set1_ps(0.5f)), onePlusErf);
}
