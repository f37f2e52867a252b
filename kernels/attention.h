#pragma once
#include "bf16.h"

/* The width of a head: a multiple of 16 up to 128, other than 112. */
int isHeadSize(size_t headSize);

/* bfloat16 elements that the keys and values of all heads take, packed. */
size_t packedKeysLength(size_t numHeads, size_t numKeys, size_t headSize);

/*
 * Keys and values as `attend` reads them: per head the keys, 64 at a time, channels in pairs; then the values, keys in
 * pairs. Rounds float32 to bfloat16; keys behind the last are zeros. Heads headStart … headEnd.
 */
typedef struct {
  const float* keys; /* [numKeys, numHeads, headSize], packed */
  const float* values;
  bf16* packed;
  size_t numKeys, numHeads, headSize;
  size_t headStart, headEnd;
} PackKeys;
int packKeys(const PackKeys* task);

/*
 * output[q, h] = Σ_k softmax_k(scale · query[q, h]·key[k, h] + bias[k]) · value[k, h]
 *
 * The units of work, a head's queries 30 at a time, unitStart, unitStart + unitStep, …
 */
typedef struct {
  const float* query; /* [numQueries, numHeads, headSize], packed */
  const bf16* packed;
  const float* bias; /* [numKeys]; -infinity: not seen */
  float* output;     /* as query */
  size_t numQueries, numKeys, numHeads, headSize;
  float scale;
  size_t unitStart, unitStep;
} Attend;
int attend(const Attend* task);
