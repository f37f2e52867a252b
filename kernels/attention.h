#pragma once
/* Functions of a level (`level.h`) and what they take. */
#include <stddef.h>
#include <stdint.h>

/* int isHeadSize(size_t headSize): the width of a head is a multiple of 16 up to 128, other than 112. */

/* size_t packedKeysLength(size_t numHeads, size_t numKeys, size_t headSize): what keys and values take, packed, in units of two bytes. */

/*
 * Keys and values as `attend` reads them: per head the keys, a panel at a time, word by word; then the values, keys in
 * words. Keys behind the last are zeros. Heads headStart … headEnd.
 */
typedef struct {
  const float* keys; /* [numKeys, numHeads, headSize], packed */
  const float* values;
  void* packed;
  size_t numKeys, numHeads, headSize;
  size_t headStart, headEnd;
} PackKeys;
/* int packKeys(const PackKeys*) */

/*
 * output[q, h] = Σ_k softmax_k(scale · query[q, h]·key[k, h] + bias[k]) · value[k, h]
 *
 * The units of work, a head's queries some at a time, unitStart, unitStart + unitStep, …
 */
typedef struct {
  const float* query; /* [numQueries, numHeads, headSize], packed */
  const void* packed;
  const float* bias; /* [numKeys]; -infinity: not seen */
  float* output;     /* as query */
  size_t numQueries, numKeys, numHeads, headSize;
  float scale;
  size_t unitStart, unitStep;
} Attend;
/* int attend(const Attend*): 0, or -1 when there is no memory. */
