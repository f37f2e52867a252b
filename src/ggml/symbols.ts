/**
 * Every C function we call, one table per library, in the order of ggml's headers.
 *
 * Written for ggml 0.23.0 (llama.cpp v0.4.0). A missing symbol is found when the library loads.
 * Pointers are `bigint`; `library.ts` is the only user.
 */
import koffi from "koffi";

/** An address in native memory. Nothing outside `src/ggml` ever sees one. */
export type Pointer = bigint;

koffi.struct("ggml_init_params", { mem_size: "size_t", mem_buffer: "void*", no_alloc: "bool" });

/** In libggml-base: ggml.h, ggml-alloc.h, ggml-backend.h. */
export const baseSymbols = {
  // ggml.h
  ggml_version: "const char* ggml_version()",
  ggml_type_name: "const char* ggml_type_name(int type)",
  ggml_op_name: "const char* ggml_op_name(int op)",
  ggml_type_size: "size_t ggml_type_size(int type)",
  ggml_get_type_traits: "const void* ggml_get_type_traits(int type)",
  ggml_blck_size: "int64_t ggml_blck_size(int type)",
  ggml_bf16_to_fp32_row: "void ggml_bf16_to_fp32_row(const void* x, void* y, int64_t n)",
  ggml_fp16_to_fp32_row: "void ggml_fp16_to_fp32_row(const void* x, void* y, int64_t n)",
  ggml_quantize_chunk:
    "size_t ggml_quantize_chunk(int type, const void* src, void* dst, int64_t start, int64_t nrows, int64_t n_per_row, const void* imatrix)",
  ggml_tensor_overhead: "size_t ggml_tensor_overhead()",
  ggml_graph_overhead_custom: "size_t ggml_graph_overhead_custom(size_t size, bool grads)",
  ggml_log_set: "void ggml_log_set(void* callback, void* user_data)",
  ggml_init: "void* ggml_init(ggml_init_params params)",
  ggml_free: "void ggml_free(void* ctx)",
  ggml_get_data: "void* ggml_get_data(void* tensor)",
  ggml_new_tensor_4d:
    "void* ggml_new_tensor_4d(void* ctx, int type, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3)",
  ggml_set_input: "void ggml_set_input(void* tensor)",
  ggml_set_output: "void ggml_set_output(void* tensor)",
  ggml_add: "void* ggml_add(void* ctx, void* a, void* b)",
  ggml_mul: "void* ggml_mul(void* ctx, void* a, void* b)",
  ggml_concat: "void* ggml_concat(void* ctx, void* a, void* b, int dim)",
  ggml_pad: "void* ggml_pad(void* ctx, void* a, int p0, int p1, int p2, int p3)",
  ggml_gelu_erf: "void* ggml_gelu_erf(void* ctx, void* a)",
  ggml_swiglu_split: "void* ggml_swiglu_split(void* ctx, void* a, void* b)",
  ggml_norm: "void* ggml_norm(void* ctx, void* a, float eps)",
  ggml_rms_norm: "void* ggml_rms_norm(void* ctx, void* a, float eps)",
  ggml_mul_mat: "void* ggml_mul_mat(void* ctx, void* a, void* b)",
  ggml_scale: "void* ggml_scale(void* ctx, void* a, float s)",
  ggml_cpy: "void* ggml_cpy(void* ctx, void* a, void* b)",
  ggml_cast: "void* ggml_cast(void* ctx, void* a, int type)",
  ggml_cont: "void* ggml_cont(void* ctx, void* a)",
  ggml_reshape_4d:
    "void* ggml_reshape_4d(void* ctx, void* a, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3)",
  ggml_view_4d:
    "void* ggml_view_4d(void* ctx, void* a, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3, size_t nb1, size_t nb2, size_t nb3, size_t offset)",
  ggml_permute:
    "void* ggml_permute(void* ctx, void* a, int axis0, int axis1, int axis2, int axis3)",
  ggml_get_rows: "void* ggml_get_rows(void* ctx, void* a, void* b)",
  ggml_set_rows: "void* ggml_set_rows(void* ctx, void* a, void* b, void* c)",
  ggml_repeat_4d:
    "void* ggml_repeat_4d(void* ctx, void* a, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3)",
  ggml_flash_attn_ext:
    "void* ggml_flash_attn_ext(void* ctx, void* q, void* k, void* v, void* mask, float scale, float max_bias, float logit_softcap)",
  ggml_custom_4d:
    "void* ggml_custom_4d(void* ctx, int type, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3, void* args, int n_args, void* fun, int n_tasks, void* userdata)",
  ggml_flash_attn_ext_set_prec: "void ggml_flash_attn_ext_set_prec(void* a, int prec)",
  ggml_new_graph_custom: "void* ggml_new_graph_custom(void* ctx, size_t size, bool grads)",
  ggml_build_forward_expand: "void ggml_build_forward_expand(void* graph, void* tensor)",
  ggml_graph_node: "void* ggml_graph_node(void* graph, int i)",
  ggml_graph_add_node: "void ggml_graph_add_node(void* graph, void* tensor)",
  ggml_graph_n_nodes: "int ggml_graph_n_nodes(void* graph)",
  // ggml-alloc.h
  ggml_gallocr_new: "void* ggml_gallocr_new(void* buft)",
  ggml_gallocr_get_buffer_size: "size_t ggml_gallocr_get_buffer_size(void* galloc, int buffer_id)",
  ggml_gallocr_free: "void ggml_gallocr_free(void* galloc)",
  ggml_gallocr_alloc_graph: "bool ggml_gallocr_alloc_graph(void* galloc, void* graph)",
  ggml_backend_alloc_ctx_tensors_from_buft:
    "void* ggml_backend_alloc_ctx_tensors_from_buft(void* ctx, void* buft)",
  // ggml-backend.h
  ggml_backend_buft_name: "const char* ggml_backend_buft_name(void* buft)",
  ggml_backend_buffer_free: "void ggml_backend_buffer_free(void* buffer)",
  ggml_backend_buffer_set_usage: "void ggml_backend_buffer_set_usage(void* buffer, int usage)",
  ggml_backend_buffer_clear: "void ggml_backend_buffer_clear(void* buffer, uint8_t value)",
  ggml_backend_buffer_get_size: "size_t ggml_backend_buffer_get_size(void* buffer)",
  ggml_backend_free: "void ggml_backend_free(void* backend)",
  ggml_backend_get_default_buffer_type: "void* ggml_backend_get_default_buffer_type(void* backend)",
  ggml_backend_tensor_set:
    "void ggml_backend_tensor_set(void* tensor, const void* data, size_t offset, size_t size)",
  ggml_backend_tensor_memset:
    "void ggml_backend_tensor_memset(void* tensor, uint8_t value, size_t offset, size_t size)",
  ggml_backend_tensor_get:
    "void ggml_backend_tensor_get(void* tensor, _Out_ void* data, size_t offset, size_t size)",
  ggml_backend_graph_compute: "int ggml_backend_graph_compute(void* backend, void* graph)",
  ggml_backend_tensor_alloc:
    "int ggml_backend_tensor_alloc(void* buffer, void* tensor, void* addr)",
  ggml_backend_dev_name: "const char* ggml_backend_dev_name(void* device)",
  ggml_backend_dev_description: "const char* ggml_backend_dev_description(void* device)",
  ggml_backend_dev_type: "int ggml_backend_dev_type(void* device)",
  ggml_backend_dev_memory:
    "void ggml_backend_dev_memory(void* device, _Out_ size_t* free, _Out_ size_t* total)",
  ggml_backend_dev_supports_op: "bool ggml_backend_dev_supports_op(void* device, void* op)",
  ggml_backend_dev_init: "void* ggml_backend_dev_init(void* device, const char* params)",
  ggml_backend_dev_backend_reg: "void* ggml_backend_dev_backend_reg(void* device)",
  ggml_backend_reg_name: "const char* ggml_backend_reg_name(void* reg)",
  ggml_backend_reg_get_proc_address:
    "void* ggml_backend_reg_get_proc_address(void* reg, const char* name)",
  ggml_backend_cpu_buffer_from_ptr:
    "void* ggml_backend_cpu_buffer_from_ptr(void* ptr, size_t size)",
  ggml_backend_sched_new:
    "void* ggml_backend_sched_new(void** backends, void** bufts, int n_backends, size_t graph_size, bool parallel, bool op_offload)",
  ggml_backend_sched_free: "void ggml_backend_sched_free(void* sched)",
  ggml_backend_sched_reset: "void ggml_backend_sched_reset(void* sched)",
  ggml_backend_sched_set_tensor_backend:
    "void ggml_backend_sched_set_tensor_backend(void* sched, void* node, void* backend)",
  ggml_backend_sched_get_buffer_size:
    "size_t ggml_backend_sched_get_buffer_size(void* sched, void* backend)",
  ggml_backend_sched_alloc_graph: "bool ggml_backend_sched_alloc_graph(void* sched, void* graph)",
  ggml_backend_sched_graph_compute:
    "int ggml_backend_sched_graph_compute(void* sched, void* graph)",
} as const;

/** In libggml: the registry of back ends. */
export const registrySymbols = {
  ggml_backend_load_all_from_path: "void ggml_backend_load_all_from_path(const char* dir_path)",
  ggml_backend_load: "void* ggml_backend_load(const char* path)",
  ggml_backend_dev_count: "size_t ggml_backend_dev_count()",
  ggml_backend_dev_get: "void* ggml_backend_dev_get(size_t index)",
} as const;

/** Found through `ggml_backend_reg_get_proc_address`, called through `koffi.call`. */
export const procTypes = {
  ggml_backend_set_n_threads: koffi.proto(
    "void ggml_backend_set_n_threads_t(void* backend, int n)",
  ),
  ggml_backend_dev_get_extra_bufts: koffi.proto(
    "void* ggml_backend_dev_get_extra_bufts_t(void* device)",
  ),
} as const;

/** `void (*ggml_log_callback)(enum ggml_log_level level, const char * text, void * user_data)` */
export const logCallbackType = koffi.proto(
  "void ggml_log_callback_t(int level, const char* text, void* user_data)",
);

/** In the C library of POSIX systems: mapping files (`mapping.ts`). */
export const posixSymbols = {
  mmap: "void* mmap(void* addr, size_t length, int prot, int flags, int fd, int64_t offset)",
  munmap: "int munmap(void* addr, size_t length)",
  madvise: "int madvise(void* addr, size_t length, int advice)",
} as const;
