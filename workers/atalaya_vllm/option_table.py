"""vLLM's options as data: what its own parser says, beside what a launch may not set."""

import argparse
from typing import Any

from .engine_args import option_parser
from .options import REFUSED

_KINDS = {"int": "integer", "human_readable_int": "integer", "float": "number"}
# Their parsers are closures without a name: whole numbers and JSON, by what their help says.
_BY_NAME = {
    "seed": "integer",
    "kv_cache_memory_bytes": "integer",
    "num_gpu_blocks_override": "integer",
    "max_parallel_loading_workers": "integer",
    "max_cpu_loras": "integer",
    "rope_theta": "number",
}


def option_table() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for action in option_parser()._actions:
        if action.dest == "help":
            continue
        row: dict[str, Any] = {"name": action.dest, "kind": _kind_of(action)}
        if action.choices:
            row["choices"] = [one for one in map(str, action.choices) if one != "None"]
        if action.dest in REFUSED:
            row["refused"] = REFUSED[action.dest]
        rows.append(row)
    return sorted(rows, key=lambda row: row["name"])


def _kind_of(action: argparse.Action) -> str:
    if action.nargs == 0:
        return "switch"
    if action.nargs == "+":
        return "list"
    if action.dest in _BY_NAME:
        return _BY_NAME[action.dest]
    name = getattr(action.type, "__name__", "")
    if name in ("_parse_type", "union_dict_and_str", "parse_dataclass"):
        return "json"
    return _KINDS.get(name, "text")
