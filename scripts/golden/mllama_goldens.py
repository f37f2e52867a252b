"""The model's goldens: checkpoints, cases, manifest."""

from pathlib import Path

from case_goldens import FEW_STEPS, write_cases
from cases import GREEDY_TOKENS
from checkpoint import write_checkpoint, write_json
from checks import check_reference, check_variant
from manifest import LIMITS, made_with
from pictures import FORMULA
from profiles import PROFILES
from rope_goldens import write_rope
from tiny_models import MODELS


def write_mllama(root: Path) -> None:
    models, cases = {}, []
    for tiny in MODELS:
        write_checkpoint(tiny, root / tiny.name)
        models[tiny.name] = {
            "directory": tiny.name,
            "dtype": str(tiny.dtype).removeprefix("torch."),
            "unusedTileSlotsAreZero": tiny.zero_unused_slots,
            "tokensPerTile": tiny.tokens_per_tile,
        }
        check_variant(tiny, root)
        cases += write_cases(tiny, root)
    write_json(
        root / "manifest.json",
        {
            "madeWith": made_with(),
            "limits": LIMITS,
            "profiles": PROFILES,
            "pictureFormula": FORMULA,
            "greedyTokens": GREEDY_TOKENS,
            "fewSteps": FEW_STEPS,
            "models": models,
            "rope": write_rope(root),
            "largestDifferencesInChecks": check_reference(root),
            "cases": cases,
        },
        indent=None,
    )
