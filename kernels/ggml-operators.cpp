/*
 * The kernels as operators of ggml (`ggml_custom_4d`), and what a program asks before it uses them.
 *
 * Operands are packed and of the types named here; `src/ggml/graph.ts` checks that. What cannot be computed for lack of
 * memory becomes NaN, which every reader of an answer refuses.
 */
#include <string.h>

#include "few-rows.h"
#include "level.h"

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

/* Among the options of `linear`, beside its activation: weights lie in a CPU_REPACK buffer. */
constexpr uintptr_t WOVEN = 256;

/* How ggml reads rows of a type; set once, before the first graph. */
struct Reader {
  ToFloat toFloat;
  size_t blockLength, blockBytes;
};
constexpr int NUM_TYPES = 64;
Reader readers[NUM_TYPES];

/* `enum ggml_type` */
constexpr int TYPE_Q4_0 = 2, TYPE_Q8_0 = 8, TYPE_Q4_K = 12, TYPE_Q5_K = 13, TYPE_BF16 = 30;

Weights weightsOf(const Tensor* tensor, bool isWoven) {
  Weights weights = {};
  weights.data = (const uint8_t*)tensor->data;
  weights.rowBytes = tensor->nb[1];
  switch (tensor->type) {
    case TYPE_BF16: weights.layout = PLAIN_BF16; break;
    case TYPE_Q4_0: weights.layout = isWoven ? WOVEN_Q4_0 : PLAIN_Q4_0; break;
    case TYPE_Q8_0: weights.layout = PLAIN_Q8_0; break;
    default:
      weights.layout = OTHER;
      weights.toFloat = readers[tensor->type].toFloat;
      weights.blockLength = readers[tensor->type].blockLength;
      weights.blockBytes = readers[tensor->type].blockBytes;
  }
  return weights;
}

/* What reading an element of weights, rounding one of the input and one product cost, measured, in tenths of nanoseconds. */
double readingCost(Layout layout) { return layout == PLAIN_BF16 ? 1.5 : layout == OTHER ? 12 : 3.5; }
constexpr double ROUNDING_COST = 0.7;

inline double wholeTimes(size_t count, size_t unit) { return (double)((count + unit - 1) / unit * unit); }

/*
 * A thread's part of the result: threads share rows, and each reads all weights; or columns, and each rounds all of the
 * input; or both, whatever is quickest.
 */
void shareOut(const Level& level, Linear& task, size_t numRows, size_t numColumns, size_t thread, size_t numThreads) {
  size_t byRows = 1;
  double least = __builtin_inf();
  for (size_t rows = 1; rows <= numThreads; rows++) {
    if (numThreads % rows != 0) continue;
    const size_t rowsEach = (numRows + rows - 1) / rows;
    const size_t columnsEach = (numColumns + numThreads / rows - 1) / (numThreads / rows);
    const double cost = (double)columnsEach * readingCost(task.weights.layout) + (double)rowsEach * ROUNDING_COST +
                        wholeTimes(rowsEach, level.rowsAtOnce) * wholeTimes(columnsEach, level.columnsAtOnce) * level.productCost;
    if (cost >= least) continue;
    least = cost;
    byRows = rows;
  }
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

/* input f32 [rows, width], weights of a type that has a reader, or of q4_0, q8_0, bf16 [columns, width], bias f32 [columns] or none → f32 [rows, columns] */
template <const Level& level>
void linearOperator(Tensor* result, int thread, int numThreads, void* options) {
  const Tensor* input = result->src[0];
  const Tensor* bias = result->src[2];
  Linear task;
  task.input = (const float*)input->data;
  task.inputStride = input->nb[1] / sizeof(float);
  const uintptr_t bits = (uintptr_t)options;
  task.weights = weightsOf(result->src[1], (bits & WOVEN) != 0);
  task.bias = bias ? (const float*)bias->data : nullptr;
  task.output = (float*)result->data;
  task.outputStride = result->nb[1] / sizeof(float);
  task.width = (size_t)input->ne[0];
  task.activation = (Activation)(bits & ~WOVEN);
  shareOut(level, task, (size_t)result->ne[1], (size_t)result->ne[0], (size_t)thread, (size_t)numThreads);
  if (task.rowStart < task.rowEnd && task.columnStart < task.columnEnd && level.linear(&task) != 0)
    fillWithNan(result);
}

FewRowsType fewRowsType(int type) {
  switch (type) {
    case TYPE_Q4_0: return FEW_Q4_0;
    case TYPE_Q8_0: return FEW_Q8_0;
    case TYPE_Q4_K: return FEW_Q4_K;
    case TYPE_Q5_K: return FEW_Q5_K;
    default: return FEW_Q6_K;
  }
}

/* input f32 [rows, width], weights of q4_0, q8_0, q4_K, q5_K or q6_K [columns, width] → f32 [rows, columns] */
void fewRowsOperator(Tensor* result, int thread, int numThreads, void*) {
  const Tensor* input = result->src[0];
  const Tensor* weights = result->src[1];
  const size_t numColumns = (size_t)result->ne[0];
  /* In whole lines of memory, so that no two threads write to one. */
  const size_t numLines = (numColumns + 15) / 16;
  const size_t end = numLines * (size_t)(thread + 1) / (size_t)numThreads * 16;
  FewRows task;
  task.input = (const float*)input->data;
  task.inputStride = input->nb[1] / sizeof(float);
  task.type = fewRowsType(weights->type);
  task.weights = (const uint8_t*)weights->data;
  task.rowBytes = weights->nb[1];
  task.output = (float*)result->data;
  task.outputStride = result->nb[1] / sizeof(float);
  task.width = (size_t)input->ne[0];
  task.numRows = (size_t)result->ne[1];
  task.columnStart = numLines * (size_t)thread / (size_t)numThreads * 16;
  task.columnEnd = end < numColumns ? end : numColumns;
  if (task.columnStart < task.columnEnd && multiplyFewRows(&task) != 0) fillWithNan(result);
}

/* keys, values f32 [keys, heads, size] → bf16 [packed length] */
template <const Level& level>
void packKeysOperator(Tensor* result, int thread, int numThreads, void*) {
  const Tensor* keys = result->src[0];
  PackKeys task;
  task.keys = (const float*)keys->data;
  task.values = (const float*)result->src[1]->data;
  task.packed = result->data;
  task.headSize = (size_t)keys->ne[0];
  task.numHeads = (size_t)keys->ne[1];
  task.numKeys = (size_t)keys->ne[2];
  task.headStart = task.numHeads * (size_t)thread / (size_t)numThreads;
  task.headEnd = task.numHeads * (size_t)(thread + 1) / (size_t)numThreads;
  level.packKeys(&task);
}

/* query f32 [queries, heads, size], packed keys, bias f32 [keys] → f32 [queries, heads, size] */
template <const Level& level>
void attendOperator(Tensor* result, int thread, int numThreads, void* scaleBits) {
  const Tensor* query = result->src[0];
  Attend task;
  task.query = (const float*)query->data;
  task.packed = result->src[1]->data;
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
  if (level.attend(&task) != 0) fillWithNan(result);
}

template <const Level& level>
void* operatorOf(const char* name) {
  if (strcmp(name, "linear") == 0) return (void*)linearOperator<level>;
  if (strcmp(name, "pack-keys") == 0) return (void*)packKeysOperator<level>;
  if (strcmp(name, "attend") == 0) return (void*)attendOperator<level>;
  return nullptr;
}

/* By the numbers of `atalaya_level`. */
const Level& levelOf(int number) {
  return number == 3 ? avx512bf16::level : number == 2 ? avx512::level : avx2::level;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

/* The address of an operator, `void (*)(struct ggml_tensor*, int, int, void*)`; null when there is none. */
void* atalaya_operator(const char* name, int level) {
  if (level == 3 && strcmp(name, "few-rows") == 0) return (void*)fewRowsOperator;
  return level == 3   ? operatorOf<avx512bf16::level>(name)
         : level == 2 ? operatorOf<avx512::level>(name)
                      : operatorOf<avx2::level>(name);
}

/* Weights of this type of ggml's are read by `toFloat`. */
void atalaya_set_reader(int type, void* toFloat, int64_t blockLength, int64_t blockBytes) {
  if (type < 0 || type >= NUM_TYPES) return;
  readers[type] = {(ToFloat)toFloat, (size_t)blockLength, (size_t)blockBytes};
}

int atalaya_is_head_size(int level, int64_t size) { return levelOf(level).isHeadSize((size_t)size); }

int64_t atalaya_packed_keys_length(int level, int64_t numHeads, int64_t numKeys, int64_t headSize) {
  return (int64_t)levelOf(level).packedKeysLength((size_t)numHeads, (size_t)numKeys, (size_t)headSize);
}

/* Where this library believes that a tensor's elements are: to be compared with ggml's own answer. */
void* atalaya_tensor_data(const void* tensor) { return ((const Tensor*)tensor)->data; }
int64_t atalaya_tensor_bytes(void) { return sizeof(Tensor); }
}
#pragma GCC visibility pop
