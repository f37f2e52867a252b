"""A model on a graphics card, every case alone and among fifteen neighbours; by the vLLM engine's Python.

    ~/.atalaya/engines/vllm-*/bin/python scripts/vllm/check_on_card.py CHECKPOINT

Heads must have a size that vLLM's kernels take (32, 64, 128, …), which tiny A's 8 is not: CHECKPOINT is a
real one, or a small one of that shape. This was written on a machine without a card, and was never run on one.
"""

import asyncio
import math
import sys
from pathlib import Path

WORKERS = Path(__file__).resolve().parents[2] / "workers"
sys.path[:0] = [str(WORKERS), str(WORKERS.parent / "scripts" / "golden")]

from atalaya_vllm.load import load  # noqa: E402
from atalaya_worker.contract import LoadOptions, Picture, Prompt, Sampling, Token  # noqa: E402

from pictures import picture_bytes  # noqa: E402

# bfloat16 sums differ with a batch's shape; a neighbour's picture would differ by far more.
TOLERANCE = 0.25


def prompts(image_token: int) -> list[Prompt]:
    """Text alone, one picture behind a header, two apart: in turns, so that they are read together."""
    made: list[Prompt] = []
    for index in range(16):
        pictures = [
            Picture(560 + 40 * index, 560, picture_bytes(560 + 40 * index, 560, seed).tobytes(), "")
            for seed in range(index % 3)
        ]
        words = [1000 + (7 * index + offset) % 900 for offset in range(12 + index)]
        ids = words[:5]
        for number, _ in enumerate(pictures):
            ids += [image_token, *words[5 + number : 7 + number]]
        made.append(Prompt([*ids, *words[7:]], pictures))
    return made


async def answers(engine: object, some: list[Prompt]) -> list[list[Token]]:
    sampling = Sampling(24, 0.0, 0, 1.0, 0.0, 0.0, 0.0, 1.0, None, [], 0)

    async def one(prompt: Prompt) -> list[Token]:
        events = engine.generate(prompt, sampling)  # type: ignore[attr-defined]
        return [event async for event in events if isinstance(event, Token)]

    return await asyncio.gather(*(one(prompt) for prompt in some))


def main(directory: str) -> None:
    given = {"enforce_eager": True, "limit_mm_per_prompt": {"image": 2}}
    options = LoadOptions(
        directory=str(Path(directory).resolve()),
        profile="ref",
        max_model_len=4096,
        max_num_seqs=16,
        kv_cache_dtype=None,
        num_threads=None,
        quantization="none",
        engine_options=given,
    )
    engine = load(options, lambda stage, _: print(stage))
    asked = prompts(engine.model.image_token_id)
    together = asyncio.run(answers(engine, asked))
    wrong = 0
    for index, prompt in enumerate(asked):
        (alone,) = asyncio.run(answers(engine, [prompt]))
        first, among = alone[0].logprob, together[index][0].logprob
        assert first is not None and among is not None
        same = math.isclose(first, among, abs_tol=TOLERANCE)
        wrong += not same
        print(
            f"{index:2}: first token {first:.4f} alone, {among:.4f} among, {'ok' if same else 'NOT'}"
        )
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:2])
