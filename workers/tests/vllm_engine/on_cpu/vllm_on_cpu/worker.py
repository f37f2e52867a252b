import sys

import torch

# An extension of vLLM's that needs the driver's library; it goes on without it when it is not there.
sys.modules.setdefault("vllm.cumem_allocator", None)  # type: ignore[arg-type]

from vllm.model_executor import set_random_seed
from vllm.worker.worker import Worker, init_worker_distributed_environment


class CpuWorker(Worker):
    """vLLM's worker for a graphics card, without the card."""

    def init_device(self) -> None:
        self.device = torch.device("cpu")
        init_worker_distributed_environment(
            self.vllm_config, self.rank, self.distributed_init_method, self.local_rank
        )
        set_random_seed(self.model_config.seed)

    @torch.inference_mode()
    def determine_num_available_blocks(self) -> tuple[int, int]:
        """There is nothing to measure. The pass with made-up pictures is real, and smaller."""
        scheduler = self.scheduler_config
        asked = scheduler.max_num_seqs, scheduler.max_num_batched_tokens
        synchronize, torch.cuda.synchronize = torch.cuda.synchronize, lambda: None
        scheduler.max_num_seqs, scheduler.max_num_batched_tokens = 2, 64
        try:
            self.model_runner.profile_run()
        finally:
            torch.cuda.synchronize = synchronize
            scheduler.max_num_seqs, scheduler.max_num_batched_tokens = asked
        blocks = self.cache_config.num_gpu_blocks_override
        assert blocks is not None, "say how many blocks"
        return blocks, 0
