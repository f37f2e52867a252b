"""The training forward pass equals Transformers' own classes, with the semantics of profile `ref`. Run with pytest."""

import numpy as np
import torch
from model import MAX_TILES, TOKENS, make_config, make_model, text_forward, vision_forward
from pictures import canvas, tiles_of
from scenes import make_scene
from tokenizer import build
from train import Prompts
from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil


def reference_logits(model, prompts, image, ids):
    """Logits of one row through the library: taps shifted by one, masked rows zeroed by a hook."""
    vision = model.model.vision_model
    taps = list(vision.config.intermediate_layers_indices)
    vision.intermediate_layers_indices = [index - 1 for index in taps]
    size = model.config.vision_config.image_size
    processor = MllamaImageProcessorPil(
        size={"height": size, "width": size}, max_image_tiles=MAX_TILES, image_mean=[0.48145466, 0.4578275, 0.40821073],
        image_std=[0.26862954, 0.26130258, 0.27577711],
    )  # fmt: skip
    made = processor([[image]], return_tensors="pt")
    length = ids.shape[1]
    tiles = int(made["aspect_ratio_mask"].sum())
    mask = torch.zeros(1, length, 1, MAX_TILES, dtype=torch.long)
    mask[:, prompts.before :, :, :tiles] = 1
    rows = (torch.arange(length) >= prompts.before).float()[None, :, None]
    hooks = [
        layer.cross_attn.register_forward_hook(lambda _m, _i, out: (out[0] * rows, *out[1:]))
        for layer in model.model.language_model.layers
        if hasattr(layer, "cross_attn")
    ]
    made = {k: made[k] for k in ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")}
    try:
        return model(input_ids=ids, cross_attention_mask=mask, **made).logits
    finally:
        vision.intermediate_layers_indices = taps
        for hook in hooks:
            hook.remove()


def test_training_forward_equals_transformers():
    torch.manual_seed(3)
    tokenizer = build()
    prompts = Prompts(tokenizer)
    model = make_model(make_config(tokenizer)).eval()
    rng = np.random.default_rng(5)
    with torch.no_grad():
        for size in ((72, 72), (50, 40), (140, 70), (60, 210), (300, 280), (70, 290)):
            scene = make_scene(rng, *size)
            ids, _ = prompts.turn("What do you see?", "a large red circle")
            ids = torch.tensor([ids])
            expected = reference_logits(model, prompts, scene.image, ids)[0]
            patches, ratio, _ = tiles_of(scene.image)
            tiles = patches.shape[0]
            seen = vision_forward(model, torch.from_numpy(patches)[None], torch.tensor([ratio]), tiles)
            assert seen.shape[1] == tiles * TOKENS and canvas(*size)[0] * canvas(*size)[1] == tiles
            ours = text_forward(model, ids, seen, prompts.before)
            assert (ours - expected).abs().max() < 1e-4, (size, (ours - expected).abs().max())
