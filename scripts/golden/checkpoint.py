"""Writes a tiny model as a checkpoint directory, in the released layout or in the newer one."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import MllamaConfig, MllamaForConditionalGeneration

from tiny_models import TinyModel, is_gate, legacy_name, make_weights
from toy_tokenizer import CHAT_TEMPLATE, IMAGE_TOKEN_ID, TOKENIZER_CONFIG, toy_tokenizer_json

IMAGE_MEAN = [0.48145466, 0.4578275, 0.40821073]
IMAGE_STD = [0.26862954, 0.26130258, 0.27577711]

# Left out of the newer form, where a missing key means its default.
VISION_DEFAULTS = {
    "hidden_act": "gelu",
    "num_channels": 3,
    "norm_eps": 1e-5,
    "max_num_tiles": 4,
}


def write_json(path: Path, value: object, indent: int | None = 2) -> None:
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")


def _dtype_name(model: TinyModel) -> str:
    return str(model.dtype).removeprefix("torch.")


def _config_v4(model: TinyModel) -> dict:
    """The form of the released files: rope_theta with rope_scaling, torch_dtype, tying said in odd places."""
    text = {
        "model_type": "mllama_text_model",
        **model.text,
        "rope_scaling": model.rope,
        "tie_word_embeddings": False,
        "torch_dtype": _dtype_name(model),
        "use_cache": True,
    }
    vision = {
        "model_type": "mllama_vision_model",
        **model.vision,
        "torch_dtype": _dtype_name(model),
        "tie_word_embeddings": True,
    }
    return {
        "architectures": ["MllamaForConditionalGeneration"],
        "image_token_index": IMAGE_TOKEN_ID,
        "model_type": "mllama",
        "text_config": text,
        "torch_dtype": _dtype_name(model),
        "transformers_version": "4.45.0.dev0",
        "vision_config": vision,
    }


def _config_v5(model: TinyModel) -> dict:
    """The newer form: rope_parameters, dtype, the aliases of two names, and no key that equals its default."""
    text = {key: value for key, value in model.text.items() if key != "rope_theta"}
    for key in ("hidden_act", "rms_norm_eps"):
        del text[key]
    text["rope_parameters"] = {**model.rope, "rope_theta": model.text["rope_theta"]}
    vision = {
        key: value
        for key, value in model.vision.items()
        if key not in VISION_DEFAULTS and key != "supported_aspect_ratios"
    }
    vision["num_attention_heads"] = vision.pop("attention_heads")
    return {
        "architectures": ["MllamaForConditionalGeneration"],
        "dtype": _dtype_name(model),
        "image_token_id": IMAGE_TOKEN_ID,
        "model_type": "mllama",
        "text_config": {"model_type": "mllama_text_model", **text, "dtype": _dtype_name(model)},
        "transformers_version": "5.0.0",
        "vision_config": {"model_type": "mllama_vision_model", **vision},
    }


def config_of(model: TinyModel) -> dict:
    config = _config_v4(model) if model.form == "v4" else _config_v5(model)
    if model.name == "tiny-b":
        # The oldest spelling of the scaling's type.
        scaling = config["text_config"]["rope_scaling"]
        scaling["type"] = scaling.pop("rope_type")
    if model.rope is None:
        # No scaling at all means plain RoPE.
        del config["text_config"]["rope_scaling"]
    return config


def legacy_shapes(model: TinyModel) -> dict[str, torch.Size]:
    """Shape of every tensor of the checkpoint by legacy name, from the library's own class."""
    text = {**model.text, "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}}
    del text["rope_theta"]
    config = MllamaConfig(
        text_config=text, vision_config=dict(model.vision), image_token_index=IMAGE_TOKEN_ID
    )
    with torch.device("meta"):
        empty = MllamaForConditionalGeneration(config)
    return {legacy_name(name): value.shape for name, value in empty.named_parameters()}


def v5_name(name: str) -> str:
    if name.startswith("language_model.model."):
        return "model.language_model." + name.removeprefix("language_model.model.")
    if name.startswith("language_model.lm_head."):
        return name.removeprefix("language_model.")
    return "model." + name


def _write_weights_v4(directory: Path, weights: dict[str, torch.Tensor]) -> None:
    path = directory / "model.safetensors"
    save_file(weights, path, metadata={"format": "pt"})
    path.chmod(0o644)


def _write_weights_v5(directory: Path, weights: dict[str, torch.Tensor]) -> None:
    """Two shards that cut one layer in half, and one-element gates kept in float32 among narrower tensors."""
    named = {
        v5_name(name): value.float() if is_gate(name) else value for name, value in weights.items()
    }
    names = sorted(named)
    cut = names.index("model.language_model.layers.3.mlp.up_proj.weight")
    shards = [names[:cut], names[cut:]]
    weight_map = {}
    for number, members in enumerate(shards, start=1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        save_file(
            {name: named[name] for name in members}, directory / file, metadata={"format": "pt"}
        )
        (directory / file).chmod(0o644)
        weight_map.update(dict.fromkeys(members, file))
    total = sum(value.numel() * value.element_size() for value in named.values())
    write_json(
        directory / "model.safetensors.index.json",
        {"metadata": {"total_size": total}, "weight_map": weight_map},
    )


def write_checkpoint(model: TinyModel, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    weights = make_weights(model, legacy_shapes(model))
    if model.form == "v4":
        _write_weights_v4(directory, weights)
    else:
        _write_weights_v5(directory, weights)
    write_json(directory / "config.json", config_of(model))
    write_json(
        directory / "generation_config.json",
        {"bos_token_id": 1, "do_sample": False, "eos_token_id": [2, 6], "pad_token_id": 3},
    )
    write_json(
        directory / "preprocessor_config.json",
        {
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_pad": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": IMAGE_MEAN,
            "image_processor_type": "MllamaImageProcessor",
            "image_std": IMAGE_STD,
            "max_image_tiles": 4,
            "resample": 2,
            "rescale_factor": 0.00392156862745098,
            "size": {"height": model.side, "width": model.side},
        },
    )
    write_json(directory / "tokenizer.json", toy_tokenizer_json(), indent=None)
    write_json(directory / "tokenizer_config.json", TOKENIZER_CONFIG)
    if model.form == "v4":
        write_json(directory / "chat_template.json", {"chat_template": CHAT_TEMPLATE})
    else:
        (directory / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    (directory / "README.txt").write_text(_readme(model), encoding="utf-8")


def _readme(model: TinyModel) -> str:
    slots = "exact zeros" if model.zero_unused_slots else "random numbers, unlike in released files"
    return (
        f"{model.name}: random weights (seed {model.seed}, stored as {_dtype_name(model)}), "
        "made by scripts/golden/make_goldens.py.\n"
        "It knows nothing; it exists so that every mechanism of the family can be compared with the reference.\n"
        f"Slots of the tile tables that no picture of that aspect ratio uses hold {slots}.\n"
    )
