"""Write the demo model's card and its sheet of failures from what `bench/accuracy.ts` measured.

    python training/evaluation_set.py FOLDER --each 2000
    npx tsx bench/accuracy.ts FOLDER --json right.json
    npx tsx bench/accuracy.ts FOLDER --swap --json swapped.json
    python training/model_card.py FOLDER right.json swapped.json
"""

import argparse
import json
import os

from PIL import Image, ImageDraw
from scenes import QUESTION_KINDS, font
from texts import COLOURS, KINDS, LANGUAGES, bare

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKPOINT = os.path.join(HERE, "..", "demo", "checkpoint")
NAMES = dict(
    zip(LANGUAGES, ("English", "German", "French", "Italian", "Portuguese", "Hindi", "Spanish", "Thai"), strict=True)
)


def percent(cells, key):
    cell = cells.get(key)
    return f"{100 * cell['right'] / cell['asked']:.1f}" if cell else "–"


def table(cells):
    lines = ["| kind | " + " | ".join(LANGUAGES) + " | all |", "| --- |" + " ---: |" * (len(LANGUAGES) + 1)]
    for kind in QUESTION_KINDS:
        shares = [percent(cells, f"{lang} {kind}") for lang in LANGUAGES]
        lines.append(f"| {kind} | " + " | ".join(shares) + f" | {percent(cells, kind)} |")
    total = [percent(cells, lang) for lang in LANGUAGES]
    lines.append("| **all** | " + " | ".join(total) + f" | **{percent(cells, 'all')}** |")
    return "\n".join(lines)


def confusion(counts, names):
    """`counts`: how often "what it is → what was said"."""
    lines = ["| is ↓ answered → | " + " | ".join(names) + " | other |", "| --- |" + " ---: |" * (len(names) + 1)]
    for name in names:
        row = {pair.split(" → ")[1]: n for pair, n in counts.items() if pair.split(" → ")[0] == name}
        shown = [row.pop(got, 0) for got in names]
        lines.append(f"| {name} | " + " | ".join(map(str, shown)) + f" | {sum(row.values())} |")
    return "\n".join(lines)


def sheet(folder, failures, path, columns=6, rows=4, side=150):
    """One failure a picture, spread over the list, with what was expected and what was said; English, whose letters fit."""
    chosen = [f for f in failures if f["language"] == "en"]
    seen = {}
    for failure in chosen:
        seen.setdefault(failure["picture"], failure)
    chosen = list(seen.values())
    chosen = chosen[:: max(1, len(chosen) // (columns * rows))][: columns * rows]
    height = side + 62
    board = Image.new("RGB", (columns * (side + 30), rows * height), "white")
    draw = ImageDraw.Draw(board)
    face = font("DejaVuSans.ttf", 9)
    for index, failure in enumerate(chosen):
        left, top = index % columns * (side + 30) + 6, index // columns * height + 4
        image = Image.open(os.path.join(folder, failure["picture"])).convert("RGB")
        image.thumbnail((side, side - 10))
        board.paste(image, (left, top))
        lines = [failure["question"], "is: " + failure["answer"], "said: " + failure["got"]]
        wrapped = [piece for line in lines for piece in wrap(draw, line, face, side + 18)]
        for number, line in enumerate(wrapped[:6]):
            draw.text((left, top + side - 8 + number * 11), line, fill="black", font=face)
    board.quantize(128).save(path, optimize=True)
    return len(chosen)


def wrap(draw, text, face, width):
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font=face) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def card(right, swapped, run):
    see, speak, find, whole = (f"{run['steps'][name]:,}" for name in ("see", "speak", "find", "all"))
    asked = right["cells"]["en caption"]["asked"]
    pairs = {k: v for k, v in right["cells"].items() if " " in k}
    worst = min(pairs, key=lambda k: pairs[k]["right"] / pairs[k]["asked"])
    config = json.load(open(os.path.join(CHECKPOINT, "config.json"), encoding="utf-8"))
    text, vision = config["text_config"], config["vision_config"]
    shapes = [bare("en", kind) for kind in KINDS]
    return f"""---
license: apache-2.0
language: [{", ".join(LANGUAGES)}]
pipeline_tag: image-text-to-text
---

# Atalaya's demo model

A Llama 3.2 Vision (Mllama) checkpoint of {run["parameters"] / 1e6:.1f} million parameters, trained from nothing so that the first command of the
README gives a true answer. **It knows coloured shapes and numbers, in eight languages, and nothing else.** It has none of
Meta's weights.

## What it can be asked

A picture shows one to three circles, squares and triangles ({", ".join(COLOURS)}; large or small) or a number of one to four
digits, on a plain, noisy or striped background, in any of the family's tile grids. It describes the picture, counts, names the
colour of a shape and the shape of a colour, says left or right and which is larger, answers whether something is there, and
reads the number; in {", ".join(NAMES[lang] for lang in LANGUAGES)}. Two turns about one picture work too. Without a
picture it asks for one. Anything else gets an answer that means nothing.

## How it is built

| | |
| --- | --- |
| vision | tiles of {vision["image_size"]} pixels, patches of {vision["patch_size"]}; {vision["num_hidden_layers"]} local and {vision["num_global_layers"]} global layers of width {vision["hidden_size"]}; taps {vision["intermediate_layers_indices"]} |
| text | {text["num_hidden_layers"]} layers of width {text["hidden_size"]}, of which {text["cross_attention_layers"]} look at the picture; {text["num_attention_heads"]} heads, {text["num_key_value_heads"]} for keys and values; llama3 RoPE, {text["max_position_embeddings"]} positions |
| tokenizer | byte-level BPE of {text["vocab_size"]} tokens from its own texts, with Llama 3's split pattern and special tokens |
| weights | bfloat16, Transformers' own class and layout; slots of the tile tables that no picture uses are exact zeros |
| functions | none were taught: its chat template tells it of none, nor of calls and results, since their text confuses it; its answers can be held to calls all the same |
| semantics | those the family was released with (profile `ref`: taps are layer inputs, rows without a picture get nothing) |

Scenes and texts come from a generator with a fixed seed (`training/scenes.py`, `texts.py`); training never sees a file.
First the tower alone learned what lies under each patch ({see} steps); then the text model learned to speak and to find what a
question means, while the tower rested ({speak} and {find} steps); then all learned together ({whole} steps): {run["minutes"]} minutes on
{run["threads"]} cores of a server, with PyTorch {run["torch"]}. The lengths of the phases and the shares of the questions were settled while this
run went on; `training/train.py` is the program as it stood at its end.

## How often it is right

{asked} questions of each kind in each language, about {right["pictures"]} pictures from a seed that training never used, answered greedily by
Atalaya's own engine. An answer counts when it is equal letter by letter. Per cent:

{table(right["cells"])}

The weakest pair is *{worst}*. With the picture of **another** scene the same questions get this far, which is what can be
guessed from the question alone:

{table(swapped["cells"])}

What it takes for what (English questions):

{confusion(right["confusions"].get("colour", {}), list(COLOURS))}

{confusion(right["confusions"].get("shape", {}), shapes)}

Some of the {len(right["failures"])} wrong answers:

![Pictures with questions that were answered wrongly](failures.png)

## Made again

```sh
pip install -r training/requirements.txt
python training/train.py                     # seed {run["seed"]}
python training/evaluation_set.py /tmp/scenes --each {asked}
npx tsx bench/accuracy.ts /tmp/scenes --json right.json
npx tsx bench/accuracy.ts /tmp/scenes --swap --json swapped.json
python training/model_card.py /tmp/scenes right.json swapped.json
```

Another processor rounds differently, so another run ends with other weights of the same kind. Licence: Apache-2.0.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("right")
    parser.add_argument("swapped")
    options = parser.parse_args()
    right, swapped = (json.load(open(path, encoding="utf-8")) for path in (options.right, options.swapped))
    with open(os.path.join(HERE, "run.json"), encoding="utf-8") as file:
        run = json.load(file)
    sheet(options.folder, right["failures"], os.path.join(CHECKPOINT, "failures.png"))
    with open(os.path.join(CHECKPOINT, "README.md"), "w", encoding="utf-8") as file:
        file.write(card(right, swapped, run))


if __name__ == "__main__":
    main()
