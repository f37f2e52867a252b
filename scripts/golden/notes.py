"""The short text in each directory that says how its files were made."""

from pathlib import Path

from manifest import made_with

NOTES = {
    "mllama": "Tiny checkpoints with random weights and what the reference computes from them.",
    "mllama/cases": "One file for each case and profile; ../manifest.json says what is in them.",
    "mllama/rope": "Rotary tables: tiny-d has head size 128 and the released parameters.",
    "long": "Prompts of up to 131,071 tokens: what the reference says after the lengths that manifest.json names.",
    "demo": "The demo model's own pictures and questions; manifest.json has the prompts and answers.",
    "processor": "What the reference's image processors make of pictures that follow a formula.",
    "template": "Conversations rendered by the reference with the toy checkpoints' own template.",
    "tokenizer": "Two tokenizers and the ids that the reference library gives to 200 strings.",
}


def write_note(golden: Path, name: str) -> None:
    versions = made_with()
    text = (
        f"{NOTES[name]}\n"
        "Made by scripts/golden/make_goldens.py; scripts/golden/README.md explains the contents.\n"
        f"Transformers {versions['transformers']}, PyTorch {versions['torch']}, "
        f"tokenizers {versions['tokenizers']}, Pillow {versions['pillow']}, "
        f"torchvision {versions['torchvision']}.\n"
    )
    (golden / name / "README.txt").write_text(text, encoding="utf-8")
