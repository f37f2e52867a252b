"""The demo model's goldens: its own pictures and questions, in both profiles, computed in float32 from its bfloat16 weights."""

import json
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoTokenizer, MllamaForConditionalGeneration

from capture import capture
from case_goldens import file_sha256, load_model, load_processor
from cases import SMALLEST_GAP
from checkpoint import write_json
from greedy import Greedy, full_pass, greedy_cached
from inputs import Inputs, make_inputs
from manifest import LIMITS, made_with
from profiles import PROFILES, profile

DEMO = Path(__file__).resolve().parents[2] / "demo"
LONGEST_ANSWER = 48
# Picture (None: text alone) and question. The first keeps every layer, the others what goes in and comes out.
CASES = {
    "first": ("first.png", "What do you see?"),
    "wide": ("wide.png", "Beschreibe das Bild."),
    "small": ("small.png", "¿Cuántas formas hay?"),
    "number": ("number.png", "यह कौन सी संख्या है?"),
    "text-only": (None, "Hello!"),
}


def prompt_of(directory: Path, picture: str | None, question: str) -> tuple[str, list[int]]:
    """Rendered by the checkpoint's template, encoded by the reference tokenizer."""
    template = json.loads((directory / "chat_template.json").read_text(encoding="utf-8"))[
        "chat_template"
    ]
    content = [*([{"type": "image"}] if picture else []), {"type": "text", "text": question}]
    text = AutoTokenizer.from_pretrained(directory).apply_chat_template(
        [{"role": "user", "content": content}],
        chat_template=template,
        add_generation_prompt=True,
        tokenize=False,
    )
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    return text, tokenizer.encode(text, add_special_tokens=False).ids


def answer(model: MllamaForConditionalGeneration, inputs: Inputs, end: int) -> Greedy:
    """Greedy tokens up to and with the end of the turn."""
    run = greedy_cached(model, inputs, LONGEST_ANSWER)
    assert end in run.token_ids, "the answer does not end"
    length = run.token_ids.index(end) + 1
    return Greedy(run.token_ids[:length], run.logits[:length])


def kept(stages: dict[str, torch.Tensor], name: str, num_tiles: int) -> dict[str, torch.Tensor]:
    out = {"steps.logits": stages["steps.logits"]}
    if num_tiles:
        out["vision.projected.used"] = stages["vision.projected"][0, :num_tiles]
    if name == "first":
        out.update(
            {
                key: value
                for key, value in stages.items()
                if key.startswith("text.layer.") and key.count(".") == 2
            }
        )
    return {key: value.contiguous().clone() for key, value in out.items()}


def write_demo(root: Path) -> None:
    directory = DEMO / "checkpoint"
    model, processor = load_model(directory), load_processor(directory)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    image, end = tokenizer.token_to_id("<|image|>"), tokenizer.token_to_id("<|eot_id|>")
    root.mkdir(parents=True, exist_ok=True)
    entries = []
    for name, (picture, question) in CASES.items():
        text, ids = prompt_of(directory, picture, question)
        pictures = [Image.open(DEMO / "pictures" / picture).convert("RGB")] if picture else []
        inputs = make_inputs(ids, pictures, processor, image)
        files = {}
        for profile_name in PROFILES:
            with profile(model, profile_name):
                with capture(model, profile_name) as stages:
                    full_pass(model, inputs)
                run = answer(model, inputs, end)
            assert min(run.gaps()) >= SMALLEST_GAP, f"{name}: a choice is too close"
            stages["steps.logits"] = run.logits
            path = root / f"{name}.{profile_name}.safetensors"
            save_file(
                kept(stages, name, sum(inputs.num_tiles)), path, metadata={"profile": profile_name}
            )
            path.chmod(0o644)
            files[profile_name] = {
                "file": path.name,
                "sha256": file_sha256(path),
                "generatedIds": run.token_ids,
                "text": tokenizer.decode(run.token_ids),
                "smallestGap": round(min(run.gaps()), 6),
            }
            print(f"{'demo':24}{name:24}{profile_name:8}{files[profile_name]['text']}", flush=True)
        entries.append(
            {
                "case": name,
                "picture": picture,
                "question": question,
                "prompt": text,
                "promptIds": ids,
                "profiles": files,
            }
        )
    write_json(
        root / "manifest.json",
        {
            "madeWith": made_with(),
            "limits": LIMITS,
            "profiles": PROFILES,
            "weights": file_sha256(directory / "model.safetensors"),
            "cases": entries,
        },
    )
