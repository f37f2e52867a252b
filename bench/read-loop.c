// The memory bandwidth of a plain read loop: every thread sums its own part of a large array.
// cc -O3 -march=native -pthread read-loop.c -o read-loop && ./read-loop THREADS
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const size_t bytes_per_thread = 1u << 30;

struct part {
  uint64_t *data;
  uint64_t sum;
};

static void *read_all(void *argument) {
  struct part *part = argument;
  uint64_t a = 0, b = 0, c = 0, d = 0;
  for (size_t i = 0; i < bytes_per_thread / 8; i += 4) {
    a += part->data[i];
    b += part->data[i + 1];
    c += part->data[i + 2];
    d += part->data[i + 3];
  }
  part->sum = a + b + c + d;
  return NULL;
}

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 2;
  struct part *parts = calloc(threads, sizeof *parts);
  pthread_t *ids = calloc(threads, sizeof *ids);
  for (int t = 0; t < threads; t++) {
    parts[t].data = aligned_alloc(64, bytes_per_thread);
    memset(parts[t].data, t + 1, bytes_per_thread);
  }
  double best = 0;
  uint64_t sum = 0;
  for (int run = 0; run < 7; run++) {
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int t = 0; t < threads; t++) pthread_create(&ids[t], NULL, read_all, &parts[t]);
    for (int t = 0; t < threads; t++) pthread_join(ids[t], NULL), sum += parts[t].sum;
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) / 1e9;
    double rate = threads * (double)bytes_per_thread / seconds / 1e9;
    if (rate > best) best = rate;
  }
  printf("%.2f\n", best);
  return sum == 0;
}
