"""Renderings of the toy checkpoints' chat template, and where the start of text goes in plain prompts."""

from pathlib import Path

from transformers import PreTrainedTokenizerFast
from transformers.models.mllama.processing_mllama import build_string_from_input

from checkpoint import write_json
from manifest import made_with
from toy_tokenizer import CHAT_TEMPLATE

PICTURE = {"type": "image"}


def _words(text: str) -> dict:
    return {"type": "text", "text": text}


CONVERSATIONS = [
    [{"role": "user", "content": "hi "}],
    [{"role": "user", "content": [PICTURE, _words(" Describe ")]}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
    [
        {"role": "user", "content": [PICTURE, _words("What is this?")]},
        {"role": "assistant", "content": "A cube.\n"},
        {"role": "user", "content": [PICTURE, PICTURE, _words("And these?")]},
    ],
    [{"role": "user", "content": [_words("before "), PICTURE, _words(" after")]}],
    [{"role": "user", "content": ""}],
    [{"role": "user", "content": "  two\n\nlines é ไทย हिन्दी 🙂 "}],
    [{"role": "user", "content": [{"type": "sound"}, _words("ignored kinds")]}],
    [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [_words("b"), _words("c")]},
        {"role": "tool", "content": "22"},
    ],
]

PROMPTS = [
    "Hi",
    "",
    "<|image|>Hi",
    "<|image|><|image|>Hi",
    "Hi <|image|>",
    " <|image|>Hi",
    "<|image|>",
    "<|image|>Hi <|image|>there",
    "<|begin_of_text|>Hi",
    "<|begin_of_text|><|image|>Hi",
    "<|image|><|begin_of_text|>Hi",
    "Hi<|begin_of_text|>",
]


def write_templates(root: Path, checkpoint: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(checkpoint)
    rendered = []
    for messages in CONVERSATIONS:
        for prompt in (True, False):
            text = tokenizer.apply_chat_template(
                messages,
                chat_template=CHAT_TEMPLATE,
                tokenize=False,
                add_generation_prompt=prompt,
            )
            rendered.append(
                {
                    "messages": messages,
                    "addGenerationPrompt": prompt,
                    "text": text,
                    "tokenIds": tokenizer.encode(text, add_special_tokens=False),
                }
            )
    plain = []
    for prompt in PROMPTS:
        text = build_string_from_input(prompt, "<|begin_of_text|>", "<|image|>")
        ids = tokenizer.encode(text, add_special_tokens=False)
        plain.append({"prompt": prompt, "text": text, "tokenIds": ids})
    write_json(
        root / "templates.json",
        {
            "madeWith": made_with(),
            "template": CHAT_TEMPLATE,
            "renderings": rendered,
            "plainPrompts": plain,
        },
    )
