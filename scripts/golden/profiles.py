"""The two behaviours of the reference that goldens are made in.

`hf` is Transformers as it is. `ref` is what the weights were released with: the vision taps are the inputs of the named
layers, and text rows that may see no picture get nothing from cross-attention.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from transformers import MllamaForConditionalGeneration

PROFILES = {
    "ref": {"visionTaps": "input", "maskedRows": "zero", "multiImageDecode": "lastRow"},
    "hf": {"visionTaps": "output", "maskedRows": "leak", "multiImageDecode": "lastRow"},
}


def cross_layers(model: MllamaForConditionalGeneration) -> list[tuple[int, nn.Module]]:
    layers = model.model.language_model.layers
    return [(i, layers[i]) for i in model.config.text_config.cross_attention_layers]


@contextmanager
def profile(model: MllamaForConditionalGeneration, name: str) -> Iterator[None]:
    if name == "hf":
        yield
        return
    vision = model.model.vision_model
    taps = list(vision.intermediate_layers_indices)
    assert 0 not in taps, "the input of layer 0 is the output of no layer"
    vision.intermediate_layers_indices = [index - 1 for index in taps]
    handles = []
    for _, layer in cross_layers(model):
        rows: dict = {}

        def keep(_module, _args, kwargs, rows=rows):
            rows["mask"] = kwargs["full_text_row_masked_out_mask"]

        def zero(_module, _args, output, rows=rows):
            if rows["mask"] is None:
                return output
            return (output[0] * rows["mask"][:, 0], *output[1:])

        handles.append(layer.register_forward_pre_hook(keep, with_kwargs=True))
        # Prepended, so that a capturing hook sees the zeroed output.
        handles.append(layer.cross_attn.register_forward_hook(zero, prepend=True))
    try:
        yield
    finally:
        vision.intermediate_layers_indices = taps
        for handle in handles:
            handle.remove()
