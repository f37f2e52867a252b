"""Makes the golden fixtures under test/golden from the reference implementation. See README.md.

usage: python make_goldens.py [mllama] [demo] [processor] [template] [tokenizer] [long]      (none named: all but long)
"""

import os
import sys
import warnings
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import torch
from transformers.utils import logging

from notes import NOTES, write_note

GOLDEN = Path(__file__).resolve().parents[2] / "test" / "golden"


def make_mllama() -> None:
    from mllama_goldens import write_mllama

    write_mllama(GOLDEN / "mllama")


def make_demo() -> None:
    from demo_goldens import write_demo

    write_demo(GOLDEN / "demo")


def make_processor() -> None:
    from processor_goldens import write_processor

    write_processor(GOLDEN / "processor")


def make_template() -> None:
    from template_goldens import write_templates
    from tool_goldens import write_tools

    write_templates(GOLDEN / "template", GOLDEN / "mllama" / "tiny-a")
    write_tools(GOLDEN / "template", GOLDEN / "mllama" / "tiny-a")


def make_tokenizer() -> None:
    from tokenizer_goldens import write_tokenizers

    write_tokenizers(GOLDEN / "tokenizer")


def make_long() -> None:
    from long_goldens import write_long

    # Nothing of it depends on the order in which two cores add.
    torch.set_num_threads(os.cpu_count() or 1)
    write_long(GOLDEN / "long", os.environ.get("LONG_CASES", "").split())


PARTS = {
    "mllama": make_mllama,
    "demo": make_demo,
    "processor": make_processor,
    "template": make_template,
    "tokenizer": make_tokenizer,
    "long": make_long,
}


def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    names = sys.argv[1:] or [name for name in PARTS if name != "long"]
    for name in names:
        if name not in PARTS:
            sys.exit(f"unknown part {name}; known: {', '.join(PARTS)}")
    with torch.no_grad():
        for name in names:
            PARTS[name]()
            for directory in NOTES:
                if directory.split("/")[0] == name:
                    write_note(GOLDEN, directory)


if __name__ == "__main__":
    main()
