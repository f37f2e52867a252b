"""vLLM's published wheel on a machine without a graphics card, for tests: its scheduler, its block
tables, its model and its sampler are real, the few kernels that need a card are plain PyTorch here.
"""
