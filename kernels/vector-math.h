/* Functions of all lanes at once. */
#pragma once
#include "simd.h"

namespace LEVEL {

/* 2^x to a relative 3e-7 where x < 128; 0 for what is far below, as for -infinity. */
static inline Floats exp2of(Floats x) {
  const Floats t = larger(x, splat(-160.0f));
  const Floats whole = nearest(t);
  const Floats rest = subtract(t, whole);
  /* 2^rest on [-1/2, 1/2] by its Taylor series. */
  Floats p = splat(1.54035304e-4f);
  p = multiplyAdd(p, rest, splat(1.33335581e-3f));
  p = multiplyAdd(p, rest, splat(9.61812911e-3f));
  p = multiplyAdd(p, rest, splat(5.55041087e-2f));
  p = multiplyAdd(p, rest, splat(2.40226507e-1f));
  p = multiplyAdd(p, rest, splat(6.93147181e-1f));
  p = multiplyAdd(p, rest, splat(1.0f));
  return scaled(p, whole);
}

/*
 * x/2 · (1 + erf(x/√2)), with erf to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
 */
static inline Floats gelu(Floats x) {
  const Floats magnitude = magnitudeOf(multiply(x, splat(0.70710678f)));
  const Floats t = divide(splat(1.0f), multiplyAdd(magnitude, splat(0.3275911f), splat(1.0f)));
  Floats p = splat(1.061405429f);
  p = multiplyAdd(p, t, splat(-1.453152027f));
  p = multiplyAdd(p, t, splat(1.421413741f));
  p = multiplyAdd(p, t, splat(-0.284496736f));
  p = multiplyAdd(p, t, splat(0.254829592f));
  const Floats square = multiply(magnitude, magnitude);
  const Floats complement = multiply(multiply(p, t), exp2of(multiply(square, splat(-1.44269504f))));
  /* Where x < 0, 1 + erf is the complement itself: nothing is lost by a difference. */
  const Floats onePlusErf = whereNegative(x, complement, subtract(splat(2.0f), complement));
  return multiply(multiply(x, splat(0.5f)), onePlusErf);
}

}  // namespace LEVEL
