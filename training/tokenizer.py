"""The demo model's tokenizer: byte-level BPE over its own texts, with Llama 3's split pattern and special tokens."""

import json
import os
import re

import numpy as np
import texts
from scenes import QUESTION_KINDS, ask, ask_without_picture, make_scene
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIALS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|reserved_special_token_0|>",
    "<|reserved_special_token_1|>",
    "<|finetune_right_pad_id|>",
    "<|step_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
)
IMAGE = "<|image|>"
# It was taught no tools, so it is told of none, nor of calls and results; its answers can be held to them all the same.
TEMPLATE = (
    "{{- bos_token }}"
    "{%- set tools = none %}"
    "{%- for message in messages %}"
    "{%- if message['role'] != 'tool' and not message['tool_calls'] %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
    "{%- if message['content'] is string %}{{- message['content'] }}"
    "{%- else %}{%- for item in message['content'] %}"
    "{%- if item['type'] == 'image' %}{{- '<|image|>' }}"
    "{%- elif item['type'] == 'text' %}{{- item['text'] }}{%- endif %}"
    "{%- endfor %}{%- endif %}"
    "{{- '<|eot_id|>' }}"
    "{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"
)


def corpus():
    """Questions and answers without their numbers: digits stay single tokens."""
    rng = np.random.default_rng(7)
    for _ in range(900):
        scene = make_scene(rng, 32, 32)
        for lang in texts.LANGUAGES:
            for kind in QUESTION_KINDS:
                pair = ask(rng, scene, kind, lang)
                if pair:
                    yield re.sub(r"\d+", "", "\n\n".join(pair))
            yield "\n\n".join(ask_without_picture(rng, lang))
    yield from ("system\n\n", "user\n\n", "assistant\n\n", "0 1 2 3 4 5 6 7 8 9") * 50


def build(vocabulary=1600):
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    names = (*SPECIALS, IMAGE)
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    return tokenizer


def save(tokenizer, folder):
    """tokenizer.json and the small files around it, as Transformers reads them."""
    os.makedirs(folder, exist_ok=True)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    named = {
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|eot_id|>",
        "pad_token": "<|finetune_right_pad_id|>",
    }
    config = {
        **named,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 4096,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    for name, value in (
        ("tokenizer_config.json", config),
        ("special_tokens_map.json", named),
        ("chat_template.json", {"chat_template": TEMPLATE}),
    ):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(value, file, indent=2)
            file.write("\n")
