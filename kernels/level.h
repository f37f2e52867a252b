/*
 * One set of the operators for each level of instructions that processors have, of which the best is taken when the library is
 * loaded. The sources are compiled once a level, into a namespace of its name (`LEVEL`, see scripts/kernels/build.sh).
 */
#pragma once
#include "attention.h"
#include "linear.h"

struct Level {
  int (*linear)(const Linear*);
  int (*isHeadSize)(size_t);
  size_t (*packedKeysLength)(size_t, size_t, size_t);
  int (*packKeys)(const PackKeys*);
  int (*attend)(const Attend*);
  /* Of a part of a product: how many rows and columns are computed at once, and what a product costs, in tenths of nanoseconds. */
  size_t rowsAtOnce, columnsAtOnce;
  double productCost;
};

/* AVX2, FMA and F16C: float32. */
namespace avx2 { extern const Level level; }
/* AVX-512 F, BW, DQ and VL: float32. */
namespace avx512 { extern const Level level; }
/* … and BF16: bfloat16. */
namespace avx512bf16 { extern const Level level; }
