"""Tokenizer goldens: the toy tokenizer and a trained byte-level BPE, over strings with Unicode's odd corners."""

import json
import random
from pathlib import Path

from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.trainers import BpeTrainer

from checkpoint import write_json
from manifest import made_with
from toy_tokenizer import SPLIT_PATTERN, byte_symbols, tokenizer_json, toy_tokenizer_json
from training_text import TRAINING_TEXT

# Training ends earlier when no pair is left to merge.
TRAINED_SIZE = 1500
# Whole pieces that no merge produces: reachable only because whole pieces are looked up first. The last ones show
# where a piece ends: U+0085 is white space, U+FEFF is not, and an apostrophe with U+017F is a piece.
WHOLE_PIECES = [" zqxj", "QZJX", "##!!", "777", "'\u017f", "\u0085x", "\ufeff\ufeff", "\ufeffx"]
SPECIALS = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|finetune_right_pad_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
]

HAND_WRITTEN = [
    "",
    " ",
    "  ",
    "   \n",
    "\n\n",
    "\n \n",
    "a\r\nb",
    "a\r\n\r\n  b",
    "\t\tx",
    "trailing  ",
    "If I had to write a haiku for this one",
    "1234567890 12",
    "3.14159265358979",
    "1234567",
    "x1y22z333w4444",
    "777 7777 777777",
    " zqxj zqxjx QZJX aQZJX ##!! x##!!",
    "I'm you're HE'LL they'Ve it'S 'tis don't D'oh",
    "it'\u017f fine",
    "'\u017f",
    "I'\u017ft",
    "\u212aelvin's \u212a",
    "a\u0085b",
    "\u0085\u0085x",
    "\u0085x \u0085x",
    "a \u0085 b",
    "\ufeffstart",
    "mid\ufeffdle",
    "\ufeff\ufeffx",
    "x\ufeffx \ufeffx",
    "a \ufeff b",
    "a\u00a0b\u00a0\u00a0c",
    "\u3000\u3000全角",
    "a\u2028b\u2029c",
    "a\u200bb\u200dc",
    "a\u202fb\u205fc\u1680d",
    "\u180e x",
    "\x1c\x1d\x1e\x1f a",
    "\x0b\x0c x",
    "\x00\x01\x7f",
    "naïve café cafe\u0301",
    "Å A\u030a \u212b",
    "Straße GROẞ ﬁne ﬀ",
    "İstanbul ıI",
    "Привет, мир! Ёлка",
    "Γειά σου Κόσμε",
    "שלום עולם",
    "السلام عليكم ١٢٣٤٥",
    "नमस्ते दुनिया १२३४५",
    "हिन्दी में क्षत्रिय",
    "สวัสดีชาวโลก ๑๒๓๔",
    "กำลังเรียนภาษาไทย",
    "你好,世界。日本語テキスト",
    "한국어 텍스트",
    "🙂",
    "🙂🙂 👍🏽 👩\u200d👩\u200d👧 🇩🇪🇫🇷",
    "❤\ufe0f ❤",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛",
    "½ ² ③ Ⅷ ௧ 〇",
    "a_b-c/d\\e|f",
    "!!!???...",
    "foo(bar);\n\n\n  baz",
    "def f(x):\n    return x ** 2\n",
    "https://example.com/a?b=c&d=%20",
    "<|begin_of_text|>",
    "<|image|>",
    "<|image|><|image|>Hi",
    " <|image|> Hi <|eot_id|>\n",
    "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>",
    "<|imag|> <|image| image|>",
    "<|begin_of_text|><|begin_of_text|>",
    "the then thin there in an her",
    "\U0010ffff\ue000",
    "\u0300 lone mark",
    "a\u0300\u0301\u0302b",
    "\u00ad soft",
    "€uro £ ¥ ₹",
    "…—–‘quoted’ “text”",
    "l'été d'un où qu'il",
    "L'acqua dell'isola",
    "¿Qué? ¡Sí! años",
    "não é ção",
    "x" * 50,
    "1" * 40,
    " " * 30 + "x",
    "\n" * 9,
    "!" * 33,
    "ab" * 40,
]

POOL = (
    [chr(code) for code in range(32, 127)]
    + list("\n\r\t \u0085\u00a0\ufeff\u017f\u2028\u3000\u200b''''    0123456789")
    + list("éüßñçğıİſΩжЯשलहिन्ีกำไท中文字한글かな١२๓½²Ⅷ🙂👍🏽\u200d\ufe0f\u0301€—…")
    + ["'s", "'LL", " the", "ing", "\r\n", "<|image|>", "<|eot_id|>", " don't", "123"]
)


def strings() -> list[str]:
    rng = random.Random(5)
    out = list(HAND_WRITTEN)
    while len(out) < 200:
        candidate = "".join(rng.choice(POOL) for _ in range(rng.randint(1, 24)))
        if candidate not in out:
            out.append(candidate)
    return out


def train() -> dict:
    """tokenizer.json of a byte-level BPE trained on the text beside this file."""
    tokenizer = Tokenizer(BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = Sequence(
        [
            Split(Regex(SPLIT_PATTERN), "isolated"),
            ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = BpeTrainer(
        vocab_size=TRAINED_SIZE - len(WHOLE_PIECES),
        min_frequency=1,
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
    symbols = byte_symbols()
    for text in WHOLE_PIECES:
        piece = "".join(symbols[byte] for byte in text.encode())
        assert piece not in vocabulary
        vocabulary[piece] = len(vocabulary)
    first = len(vocabulary)
    specials = [(first + index, content) for index, content in enumerate(SPECIALS)]
    specials.append((first + len(SPECIALS), "<|image|>"))
    merges = [tuple(pair) for pair in model["merges"]]
    return tokenizer_json(vocabulary, merges, specials)


def encodings(tokenizer: Tokenizer) -> list[dict]:
    """With special strings recognised, as prompts are, and taken as plain text, as messages' bodies are."""
    out = []
    for text in strings():
        tokenizer.encode_special_tokens = False
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        entry = {"text": text, "tokenIds": ids}
        assert tokenizer.decode(ids, skip_special_tokens=False) == text, "does not come back"
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        if plain != ids:
            entry["tokenIdsPlain"] = plain
        out.append(entry)
    return out


def write_tokenizers(root: Path) -> None:
    for name, made in {"toy": toy_tokenizer_json(), "trained": train()}.items():
        directory = root / name
        directory.mkdir(parents=True, exist_ok=True)
        if name == "trained":
            # The older spelling of the merges; the toy tokenizer has the newer one.
            made["model"]["merges"] = [" ".join(pair) for pair in made["model"]["merges"]]
        write_json(directory / "tokenizer.json", made, indent=None)
        tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        for token in made["added_tokens"]:
            assert tokenizer.token_to_id(token["content"]) == token["id"], token
        entries = encodings(tokenizer)
        lines = ",\n".join(json.dumps(entry, ensure_ascii=True) for entry in entries)
        header = json.dumps({"madeWith": made_with(), "size": tokenizer.get_vocab_size()})
        (directory / "encodings.json").write_text(
            f'{header[:-1]}, "encodings": [\n{lines}\n]}}\n', encoding="utf-8"
        )
