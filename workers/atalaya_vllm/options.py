"""Which of vLLM's options a launch may not set, and why. Everything else that vLLM's parser knows it may.

`scripts/vllm/make_options.py` puts this beside the parser's own list, for the side that checks a launch
before anything is downloaded.
"""

_FILES = "Atalaya chooses which files are loaded and how"
_CODE = "it names code, addresses or files that a process would load"
_TENSORS_ONLY = "vLLM 0.10.2 splits this model by --tensor-parallel-size alone"
_NO_CROSS = "vLLM 0.10.2 does not have it for models with cross-attention"
_SERVER = "it belongs to vLLM's own server, which never runs here"
_V1 = "it belongs to vLLM's V1 engine, which does not have this model"
_OWN_TYPE = "vLLM 0.10.2 keeps a picture's keys and values in the model's own type"
_OTHER = "it is for other kinds of models"

REFUSED: dict[str, str] = {
    name: reason
    for reason, names in {
        _FILES: """model tokenizer tokenizer_mode revision code_revision tokenizer_revision
            hf_config_path hf_token hf_overrides config_format generation_config
            override_generation_config load_format download_dir safetensors_load_strategy
            model_loader_extra_config ignore_patterns pt_load_map_location skip_tokenizer_init
            trust_remote_code rope_scaling rope_theta""",
        _CODE: """worker_cls worker_extension_cls scheduler_cls logits_processors
            logits_processor_pattern io_processor_plugin additional_config model_impl
            kv_transfer_config kv_events_config otlp_traces_endpoint collect_detailed_traces
            show_hidden_metrics_for_version ray_workers_use_nsight distributed_executor_backend
            compilation_config data_parallel_address data_parallel_rpc_port data_parallel_backend""",
        _TENSORS_ONLY: """pipeline_parallel_size data_parallel_size data_parallel_rank
            data_parallel_start_rank data_parallel_size_local data_parallel_hybrid_lb
            decode_context_parallel_size enable_expert_parallel enable_eplb eplb_config
            num_redundant_experts eplb_window_size eplb_step_interval eplb_log_balancedness
            enable_multimodal_encoder_data_parallel mm_encoder_tp_mode""",
        _NO_CROSS: """enable_prefix_caching prefix_caching_hash_algo enable_chunked_prefill
            disable_chunked_mm_input max_num_partial_prefills max_long_partial_prefills
            long_prefill_token_threshold enable_lora enable_lora_bias max_loras max_lora_rank
            lora_extra_vocab_size lora_dtype max_cpu_loras fully_sharded_loras default_mm_loras
            speculative_config num_lookahead_slots enable_prompt_embeds disable_sliding_window""",
        _SERVER: """served_model_name allowed_local_media_path media_io_kwargs mm_processor_kwargs
            interleave_mm_strings reasoning_parser disable_log_stats use_tqdm_on_load
            enable_sleep_mode scheduling_policy""",
        _V1: """logprobs_mode async_scheduling disable_hybrid_kv_cache_manager disable_cascade_attn
            kv_sharing_fast_prefill""",
        _OWN_TYPE: "kv_cache_dtype calculate_kv_scales",
        _OTHER: """task runner convert override_pooler_config override_attention_dtype
            mamba_cache_dtype mamba_ssm_cache_dtype""",
    }.items()
    for name in names.split()
}
