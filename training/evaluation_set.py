"""Write scenes that the training never saw, with every question and its answer in all eight languages.

    python training/evaluation_set.py FOLDER --each 200

The seed differs from the training's. FOLDER gets PNG pictures and `questions.jsonl`, one question a line: picture, language,
kind, question, answer. `bench/accuracy.ts` asks them through the engine.
"""

import argparse
import json
import os

import numpy as np
from scenes import QUESTION_KINDS, ask, make_scene
from texts import LANGUAGES
from train import draw_size

SEED = 20_000_003


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--each", type=int, default=200, help="questions of each kind in each language")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    rng = np.random.default_rng(SEED)
    missing = dict.fromkeys(QUESTION_KINDS, options.each)
    with open(os.path.join(options.folder, "questions.jsonl"), "w", encoding="utf-8") as lines:
        number = 0
        while any(missing.values()):
            tiles = int(rng.choice([1, 2, 3, 4], p=[0.4, 0.2, 0.05, 0.35]))
            scene = make_scene(rng, *draw_size(rng, tiles), number_share=0.3)
            asked = []
            for kind in QUESTION_KINDS:
                if missing[kind] == 0:
                    continue
                # The same seed in every language: the same facts are asked for.
                seed = int(rng.integers(2**32))
                pairs = [(lang, ask(np.random.default_rng(seed), scene, kind, lang)) for lang in LANGUAGES]
                if all(pair for _, pair in pairs):
                    missing[kind] -= 1
                    asked += [(lang, kind, *pair) for lang, pair in pairs]
            if not asked:
                continue
            name = f"{number:05d}.png"
            scene.image.save(os.path.join(options.folder, name))
            number += 1
            for lang, kind, question, answer in asked:
                line = {"picture": name, "language": lang, "kind": kind, "question": question, "answer": answer}
                lines.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
