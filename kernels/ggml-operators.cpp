/*
 * The kernels as operators of ggml (`ggml_custom_4d`), and what a program asks before it uses them.
 *
 * Operands are packed and of the types named here; `src/ggml/graph.ts` checks that. What cannot be computed for lack of
 * memory becomes NaN, which every reader of an answer refuses.
 */
#include <string.h>

#include "attention.h"
#include "linear.h"

/* The part of ggml.h that is used: `struct ggml_tensor` of ggml 0.23.0. */
struct Tensor {
  int type;
  void* buffer;
  int64_t ne[4];
  size_t nb[4];
  int op;
  int32_t opParams[16];
  int32_t flags;
  Tensor* src[10];
  Tensor* viewSrc;
  size_t viewOffset;
  void* data;
  char name[64];
  void* extra;
  char padding[8];
};

namespace {

void fillWithNan(Tensor* result) {
  memset(result->data, 0xff, result->nb[3] * (size_t)result->ne[3]);
}

/* Threads of a computation share rows; where there are too few of them for all threads, columns as well. */
void shareOut(Linear& task, size_t numRows, size_t numColumns, size_t thread, size_t numThreads) {
  constexpr size_t fewRows = 48;
  size_t byRows = numThreads;
  while (byRows > 1 && (numThreads % byRows != 0 || numRows / byRows < fewRows)) byRows--;
  const size_t byColumns = numThreads / byRows;
  const size_t row = thread / byColumns, column = thread % byColumns;
  task.rowStart = numRows * row / byRows;
  task.rowEnd = numRows * (row + 1) / byRows;
  /* In whole vectors, so that no two threads write to one. */
  const size_t numVectors = (numColumns + 15) / 16;
  const size_t end = numVectors * (column + 1) / byColumns * 16;
  task.columnStart = numVectors * column / byColumns * 16;
  task.columnEnd = end < numColumns ? end : numColumns;
}

/* input f32 [rows, width], weight bf16 [columns, width], bias f32 [columns] or none → f32 [rows, columns] */
void linearOperator(Tensor* result, int thread, int numThreads, void* activation) {
  const Tensor* input = result->src[0];
  const Tensor* weight = result->src[1];
  const Tensor* bias = result->src[2];
  Linear task;
  task.input = (const float*)input->data;
  task.inputStride = input->nb[1] / sizeof(float);
  task.weight = (const bf16*)weight->data;
  task.weightStride = weight->nb[1] / sizeof(bf16);
  task.bias = bias ? (const float*)bias->data : nullptr;
  task.output = (float*)result->data;
  task.outputStride = result->nb[1] / sizeof(float);
  task.width = (size_t)input->ne[0];
  task.activation = (Activation)(intptr_t)activation;
  shareOut(task, (size_t)result->ne[1], (size_t)result->ne[0], (size_t)thread, (size_t)numThreads);
  if (task.rowStart < task.rowEnd && task.columnStart < task.columnEnd && linearBf16(&task) != 0)
    fillWithNan(result);
}

/* keys, values f32 [keys, heads, size] → bf16 [packed length] */
void packKeysOperator(Tensor* result, int thread, int numThreads, void*) {
  const Tensor* keys = result->src[0];
  PackKeys task;
  task.keys = (const float*)keys->data;
  task.values = (const float*)result->src[1]->data;
  task.packed = (bf16*)result->data;
  task.headSize = (size_t)keys->ne[0];
  task.numHeads = (size_t)keys->ne[1];
  task.numKeys = (size_t)keys->ne[2];
  task.headStart = task.numHeads * (size_t)thread / (size_t)numThreads;
  task.headEnd = task.numHeads * (size_t)(thread + 1) / (size_t)numThreads;
  packKeys(&task);
}

/* query f32 [queries, heads, size], packed keys, bias f32 [keys] → f32 [queries, heads, size] */
void attendOperator(Tensor* result, int thread, int numThreads, void* scaleBits) {
  const Tensor* query = result->src[0];
  Attend task;
  task.query = (const float*)query->data;
  task.packed = (const bf16*)result->src[1]->data;
  task.bias = (const float*)result->src[2]->data;
  task.output = (float*)result->data;
  task.headSize = (size_t)query->ne[0];
  task.numHeads = (size_t)query->ne[1];
  task.numQueries = (size_t)query->ne[2];
  task.numKeys = (size_t)result->src[2]->ne[0];
  const uint32_t bits = (uint32_t)(uintptr_t)scaleBits;
  memcpy(&task.scale, &bits, sizeof bits);
  task.unitStart = (size_t)thread;
  task.unitStep = (size_t)numThreads;
  if (attend(&task) != 0) fillWithNan(result);
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

/* The address of an operator, `void (*)(struct ggml_tensor*, int, int, void*)`; null when there is none. */
void* atalaya_operator(const char* name) {
  if (strcmp(name, "linear") == 0) return (void*)linearOperator;
  if (strcmp(name, "pack-keys") == 0) return (void*)packKeysOperator;
  if (strcmp(name, "attend") == 0) return (void*)attendOperator;
  return nullptr;
}

int atalaya_is_head_size(int64_t size) { return isHeadSize((size_t)size); }

int64_t atalaya_packed_keys_length(int64_t numHeads, int64_t numKeys, int64_t headSize) {
  return (int64_t)packedKeysLength((size_t)numHeads, (size_t)numKeys, (size_t)headSize);
}

/* Where this library believes that a tensor's elements are: to be compared with ggml's own answer. */
void* atalaya_tensor_data(const void* tensor) { return ((const Tensor*)tensor)->data; }
int64_t atalaya_tensor_bytes(void) { return sizeof(Tensor); }
}
#pragma GCC visibility pop
