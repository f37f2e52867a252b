"""Writes workers/atalaya_vllm/options.json from vLLM's own parser; run by the vLLM engine's Python.

    ~/.atalaya/engines/vllm-*/bin/python scripts/vllm/make_options.py && npx biome format --write workers

The platform refuses a misspelled option with it before anything is downloaded. `test_engine_args.py`
compares it with the installed package.
"""

import json
import sys
from pathlib import Path

WORKERS = Path(__file__).resolve().parents[2] / "workers"
sys.path.insert(0, str(WORKERS))

from atalaya_vllm.option_table import option_table  # noqa: E402
from atalaya_vllm.versions import VLLM  # noqa: E402

TARGET = WORKERS / "atalaya_vllm" / "options.json"

if __name__ == "__main__":
    table = {"vllm": VLLM, "options": option_table()}
    TARGET.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    print(f"{TARGET.name}: {len(table['options'])} options")
