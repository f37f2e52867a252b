"""Long prompts, to the last position of the released models, through tiny-d and the demo model."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import DynamicCache, MllamaForConditionalGeneration

from case_goldens import file_sha256, load_processor
from cases import BOS, IMAGE
from checkpoint import write_checkpoint, write_json
from greedy import mask_rows
from inputs import Inputs, make_inputs
from manifest import made_with
from pictures import picture
from profiles import profile
from tiny_models import LAST_POSITION, TINY_D

DEMO = Path(__file__).resolve().parents[2] / "demo"
# Tokens of the prompts. One more than the last would leave no room for an answer.
LENGTHS = [2048, 8192, 32768, 100000, LAST_POSITION]
# With a picture the model does the same work once more for each row; the rows are what matters here.
LENGTHS_WITH_PICTURE = [2048, 8192, 32768]
ANSWER = 4
# Of this linear congruential generator the upper bits choose; its products stay below 2^53.
MULTIPLIER, INCREMENT, MODULUS, SHIFT = 1103515, 12345, 2**31, 16
TEXT = """
red green blue yellow circle square triangle star left right above below small large two three four is a the
of and picture shows number between rot Kreis über cuadrado अंक 圆 12 7, . ? yes
"""
WORDS = TEXT.split()


def draws(seed: int, count: int) -> list[int]:
    state, out = seed, []
    for _ in range(count):
        state = (MULTIPLIER * state + INCREMENT) % MODULUS
        out.append(state >> SHIFT)
    return out


@dataclass(frozen=True)
class LongCase:
    name: str
    model: str
    seed: int
    lengths: list[int]
    picture: str | tuple[int, int, int] | None = None


CASES = [
    LongCase("tiny-d", "tiny-d", 1, LENGTHS),
    LongCase("tiny-d-picture", "tiny-d", 2, LENGTHS_WITH_PICTURE, (40, 20, 5)),
    LongCase("demo", "demo", 3, LENGTHS),
    LongCase("demo-picture", "demo", 4, LENGTHS_WITH_PICTURE, "wide.png"),
]


def token_ids(case: LongCase, directory: Path) -> list[int]:
    if case.model == "tiny-d":
        begin = [BOS, IMAGE] if case.picture else [BOS]
        return begin + [30 + draw % 211 for draw in draws(case.seed, LAST_POSITION - len(begin))]
    words = [WORDS[draw % len(WORDS)] for draw in draws(case.seed, LAST_POSITION)]
    begin = "<|begin_of_text|>" + ("<|image|>" if case.picture else "")
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    ids = tokenizer.encode(begin + " ".join(words), add_special_tokens=False).ids
    assert len(ids) >= LAST_POSITION
    return ids[:LAST_POSITION]


def run(
    model: MllamaForConditionalGeneration, inputs: Inputs, lengths: list[int]
) -> tuple[torch.Tensor, list[list[int]], list[float]]:
    """The logits after so many tokens `[lengths, vocabulary]`, and what follows greedily, with its closest call.

    One pass over the whole prompt, in which no mask is made: PyTorch's attention is told that it is causal. A beginning's
    answer continues from the cache, of which the rest has been dropped.
    """
    cache = DynamicCache(config=model.config.text_config)

    def call(ids: torch.Tensor, start: int, keep: torch.Tensor | int) -> torch.Tensor:
        pictures = inputs.pictures(0, len(inputs.num_tiles)) if start == 0 else {}
        out = model(
            input_ids=ids,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
            **pictures,
            **mask_rows(inputs, start, start + ids.shape[1]),
        )
        return out.logits[0]

    rows = call(inputs.token_ids, 0, torch.tensor(lengths) - 1)
    answers, gaps = [], []
    # Longest first: what is dropped does not come back.
    for length, logits in reversed(list(zip(lengths, rows, strict=True))):
        keep_only(cache, length, model)
        answer, gap = [], float("inf")
        room = min(ANSWER, LAST_POSITION + 1 - length)
        while True:
            best = logits.topk(2)
            gap = min(gap, float(best.values[0] - best.values[1]))
            answer.append(int(best.indices[0]))
            if len(answer) == room:
                break
            logits = call(torch.tensor([[answer[-1]]]), length + len(answer) - 1, 1)[-1]
        answers.insert(0, answer)
        gaps.insert(0, round(gap, 6))
    return rows, answers, gaps


def keep_only(cache: DynamicCache, length: int, model: MllamaForConditionalGeneration) -> None:
    """The first tokens of what was read; a picture's keys and values stay."""
    cross = set(model.config.text_config.cross_attention_layers)
    for index, layer in enumerate(cache.layers):
        if index not in cross and layer.get_seq_length() > length:
            layer.crop(length)


def load(directory: Path) -> MllamaForConditionalGeneration:
    # Eager attention would hold every score: 69 GB for each head of the longest prompt.
    model = MllamaForConditionalGeneration.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="sdpa"
    )
    return model.eval()


def write_long(root: Path, only: list[str]) -> None:
    """Cases named in `only`, or all; the others keep their entries."""
    root.mkdir(parents=True, exist_ok=True)
    write_checkpoint(TINY_D, root / TINY_D.name)
    directories = {"tiny-d": root / TINY_D.name, "demo": DEMO / "checkpoint"}
    manifest_path = root / "manifest.json"
    before = json.loads(manifest_path.read_text()) if manifest_path.exists() else {"cases": []}
    entries = {entry["case"]: entry for entry in before["cases"]}
    for case in CASES:
        if only and case.name not in only:
            continue
        directory = directories[case.model]
        model, processor = load(directory), load_processor(directory)
        image = model.config.image_token_id
        ids = token_ids(case, directory)[: case.lengths[-1]]
        inputs = make_inputs(ids, [open_picture(case)] if case.picture else [], processor, image)
        with profile(model, "ref"):
            logits, answers, gaps = run(model, inputs, case.lengths)
        assert torch.isfinite(logits).all()
        path = root / f"{case.name}.safetensors"
        save_file({"logits": logits.contiguous()}, path, metadata={"profile": "ref"})
        path.chmod(0o644)
        entries[case.name] = {
            "case": case.name,
            "model": case.model,
            "seed": case.seed,
            "picture": case.picture,
            "lengths": case.lengths,
            "promptSha256": hashlib.sha256(
                torch.tensor(ids, dtype=torch.int32).numpy()
            ).hexdigest(),
            "file": path.name,
            "sha256": file_sha256(path),
            "weights": file_sha256(directory / "model.safetensors"),
            "answers": answers,
            "smallestGaps": gaps,
        }
        print(f"{case.name:24}gaps {gaps}", flush=True)
        write_json(
            manifest_path,
            {
                "madeWith": {**made_with(), "attention": "sdpa"},
                "random": {
                    "multiplier": MULTIPLIER,
                    "increment": INCREMENT,
                    "modulus": MODULUS,
                    "shift": SHIFT,
                },
                "words": WORDS,
                "cases": [entries[one.name] for one in CASES if one.name in entries],
            },
        )


def open_picture(case: LongCase) -> Image.Image:
    if isinstance(case.picture, str):
        return Image.open(DEMO / "pictures" / case.picture).convert("RGB")
    return picture(*case.picture)
