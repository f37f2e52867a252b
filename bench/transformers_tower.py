"""Times Transformers' vision tower of the 11B with random bf16 weights, for `vision-tower.ts --against`.

Reads lines `TILES` from standard input and answers each with the milliseconds that a picture of so many tiles takes.
The model pads every picture to four tiles, so they all cost alike.

    python bench/transformers_tower.py --local 32 --global 8 --threads 2
"""

import argparse
import sys
import time

import torch
import transformers
from transformers.models.mllama.configuration_mllama import MllamaVisionConfig
from transformers.models.mllama.modeling_mllama import MllamaVisionModel

parser = argparse.ArgumentParser()
parser.add_argument("--local", type=int, default=32)
parser.add_argument("--global", type=int, default=8, dest="num_global")
parser.add_argument("--threads", type=int, default=2)
arguments = parser.parse_args()

torch.set_num_threads(arguments.threads)
torch.manual_seed(0)
taps = [min(arguments.local - 1, tap) for tap in (3, 7, 15, 23, 30)]
config = MllamaVisionConfig(
    image_size=560,
    num_hidden_layers=arguments.local,
    num_global_layers=arguments.num_global,
    intermediate_layers_indices=taps,
    vision_output_dim=1280 * 6,
)
config._attn_implementation = "sdpa"
model = MllamaVisionModel._from_config(config, dtype=torch.bfloat16).eval()
print(f"Transformers {transformers.__version__}, PyTorch {torch.__version__}", flush=True)

# Ids of the aspect ratios 1×1, 1×2, 1×3 and 2×2.
RATIO_IDS = {1: 1, 2: 2, 3: 3, 4: 6}

for line in sys.stdin:
    num_tiles = int(line)
    pixels = torch.randn(1, 1, 4, 3, 560, 560, dtype=torch.bfloat16)
    mask = torch.tensor([[[1] * num_tiles + [0] * (4 - num_tiles)]])
    with torch.no_grad():
        start = time.perf_counter()
        model(pixels, torch.tensor([[RATIO_IDS[num_tiles]]]), mask)
        print(f"{(time.perf_counter() - start) * 1000:.0f}", flush=True)
