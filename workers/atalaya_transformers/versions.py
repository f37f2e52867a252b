"""Which installations of Transformers this engine takes. Imports nothing of them."""

import os

from atalaya_worker.versions import first_missing, installed

# Those that the conformance tests ran with.
TESTED = ("5.18.0",)
# The vision encoder gives five copies of one layer's output, or is half repaired.
BROKEN = ("4.55.0", "4.55.1", "4.55.2")
OVERRIDE = "ATALAYA_UNTESTED_TRANSFORMERS"


def problem() -> str | None:
    """What speaks against the installed versions, as a sentence's end; None when nothing does."""
    missing = first_missing("torch", "transformers", "numpy", "pillow", "grpcio", "protobuf")
    if missing is not None:
        return f"it has no {missing}"
    return version_problem(installed("transformers") or "")


def version_problem(version: str) -> str | None:
    if version in BROKEN:
        return f"it has Transformers {version}, whose vision encoder is broken; take {TESTED[-1]}"
    if version not in TESTED and os.environ.get(OVERRIDE) != "1":
        return (
            f"it has Transformers {version}, and this engine was tested with {', '.join(TESTED)}; "
            f"set {OVERRIDE}=1 to use it all the same"
        )
    return None
