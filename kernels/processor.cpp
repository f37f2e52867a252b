/* Compiled for any x86-64 processor: asked before anything else of this library runs. */

/* The best level of instructions that this processor has: 3 AVX-512 with BF16 and VNNI, 2 AVX-512, 1 AVX2, 0 none of them. */
extern "C" __attribute__((visibility("default"))) int atalaya_level(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c") ||
      !__builtin_cpu_supports("bmi2"))
    return 0;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512cd"))
    return 1;
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni") ? 3 : 2;
}
