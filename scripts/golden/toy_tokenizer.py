"""A toy byte-level tokenizer that fits a vocabulary of 256 ids, and a chat template for it.

Ids 0 to 6 are special strings, 7 to 249 are the 243 bytes that occur in UTF-8, 250 to 255 are six merges, and 256, one
past the end of the output head, is the picture's token.
"""

SPLIT_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

SPECIAL_TOKENS = [
    (0, "<|reserved_special_token_0|>"),
    (1, "<|begin_of_text|>"),
    (2, "<|end_of_text|>"),
    (3, "<|finetune_right_pad_id|>"),
    (4, "<|start_header_id|>"),
    (5, "<|end_header_id|>"),
    (6, "<|eot_id|>"),
    (256, "<|image|>"),
]
IMAGE_TOKEN_ID = 256
FIRST_BYTE_ID = 7
MERGES = [("t", "h"), ("i", "n"), ("a", "n"), ("e", "r"), ("th", "e"), ("Ġ", "the")]

CHAT_TEMPLATE = (
    "{{- bos_token }}"
    "{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{%- if message['content'] is string %}"
    "{{- message['content'] }}"
    "{%- else %}"
    "{%- for part in message['content'] %}"
    "{%- if part['type'] == 'image' %}"
    "{{- '<|image|>' }}"
    "{%- elif part['type'] == 'text' %}"
    "{{- part['text'] }}"
    "{%- endif %}"
    "{%- endfor %}"
    "{%- endif %}"
    "{{- '<|eot_id|>' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    "{%- endif %}"
)


def byte_symbols() -> dict[int, str]:
    """Byte -> the printable character that stands for it in byte-level vocabularies."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = {byte: chr(byte) for byte in printable}
    spare = 256
    for byte in range(256):
        if byte not in symbols:
            symbols[byte] = chr(spare)
            spare += 1
    return symbols


def toy_vocabulary() -> dict[str, int]:
    symbols = byte_symbols()
    never_in_utf8 = {0xC0, 0xC1, *range(0xF5, 0x100)}
    ordered = [symbols[byte] for byte in range(256) if byte not in never_in_utf8]
    ordered += [left + right for left, right in MERGES]
    vocabulary = {content: token_id for token_id, content in SPECIAL_TOKENS[:FIRST_BYTE_ID]}
    # The library gives an added token its stated id only where the vocabulary has it, or at the vocabulary's end.
    vocabulary.update({token: FIRST_BYTE_ID + index for index, token in enumerate(ordered)})
    return vocabulary


def tokenizer_json(
    vocabulary: dict[str, int], merges: list[tuple[str, str]], special_tokens: list[tuple[int, str]]
) -> dict:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": token_id,
                "content": content,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for token_id, content in special_tokens
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": SPLIT_PATTERN},
                    "behavior": "Isolated",
                    "invert": False,
                },
                {
                    "type": "ByteLevel",
                    "add_prefix_space": False,
                    "trim_offsets": True,
                    "use_regex": False,
                },
            ],
        },
        "post_processor": None,
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": vocabulary,
            "merges": [list(pair) for pair in merges],
        },
    }


def toy_tokenizer_json() -> dict:
    return tokenizer_json(toy_vocabulary(), MERGES, SPECIAL_TOKENS)


TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": 2048,
    "model_input_names": ["input_ids", "attention_mask"],
    "bos_token": "<|begin_of_text|>",
    "eos_token": "<|end_of_text|>",
    "pad_token": "<|finetune_right_pad_id|>",
    "clean_up_tokenization_spaces": False,
}
