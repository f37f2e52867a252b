"""Messages of engine.proto ↔ our words. What is neither known nor empty is refused, never ignored."""

import json
import math
from collections.abc import Mapping
from typing import Any

from . import messages
from .contract import (
    Event,
    Finish,
    ImageReport,
    LoadOptions,
    ModelInfo,
    Picture,
    Prompt,
    PromptLogprobs,
    PromptToken,
    Sampling,
    Stats,
    Token,
)
from .errors import WorkerError

_SAMPLING_FIELDS = frozenset(Sampling.__dataclass_fields__)


def from_load_request(request: Any) -> LoadOptions:
    return LoadOptions(
        directory=request.directory,
        profile="hf" if request.profile == "hf" else "ref",
        max_model_len=_optional(request, "max_model_len"),
        max_num_seqs=_optional(request, "max_num_seqs"),
        kv_cache_dtype=_optional(request, "kv_cache_dtype"),
        num_threads=_optional(request, "num_threads"),
        quantization=request.quantization or "none",
        engine_options=_json_values(request.engine_options),
    )


def to_model_info(model: ModelInfo) -> Any:
    return messages.ModelInfo(
        context_length=model.context_length,
        vocab_size=model.vocab_size,
        num_embeddings=model.num_embeddings,
        image_token_id=model.image_token_id,
        bos_token_id=model.bos_token_id,
        stop_token_ids=model.stop_token_ids,
        vision_tokens_per_tile=model.vision_tokens_per_tile,
    )


def from_generate_request(request: Any) -> tuple[Prompt, Sampling]:
    """Raises WorkerError `unsupported_parameter` for a setting that this worker has not heard of."""
    sampling = request.sampling
    for field, _ in sampling.ListFields():
        if field.name not in _SAMPLING_FIELDS:
            raise WorkerError(
                "unsupported_parameter",
                f'This engine does not support "{field.name}". Leave it out, or launch the model '
                "with --model-engine native.",
            )
    return (
        Prompt(
            token_ids=list(request.token_ids),
            pictures=[from_picture(picture) for picture in request.pictures],
        ),
        Sampling(
            max_tokens=sampling.max_tokens,
            temperature=_finite(sampling.temperature),
            top_k=sampling.top_k,
            top_p=_finite(sampling.top_p),
            min_p=_finite(sampling.min_p),
            presence_penalty=_finite(sampling.presence_penalty),
            frequency_penalty=_finite(sampling.frequency_penalty),
            repetition_penalty=_finite(sampling.repetition_penalty),
            seed=_optional(sampling, "seed"),
            stop_token_ids=list(sampling.stop_token_ids),
            logprobs=_optional(sampling, "logprobs"),
            logit_bias=[(one.token_id, _finite(one.bias)) for one in sampling.logit_bias],
            min_tokens=sampling.min_tokens,
            grammar=_optional(sampling, "grammar"),
            prompt_logprobs=_prompt_logprobs(sampling),
        ),
    )


def from_picture(picture: Any) -> Picture:
    """A length that lies would be read past its end later."""
    width, height, pixels = picture.width, picture.height, picture.pixels
    if width == 0 or height == 0 or len(pixels) != width * height * 3:
        raise ValueError(f"{len(pixels)} bytes are no picture of {width} × {height}")
    max_tiles = _optional(picture, "max_tiles")
    return Picture(width, height, pixels, picture.content_hash, max_tiles)


def to_generate_reply(event: Event) -> Any:
    if isinstance(event, Token):
        return messages.GenerateReply(token=_to_token(event))
    if isinstance(event, PromptToken):
        return messages.GenerateReply(prompt_token=_to_token(event.token))
    if isinstance(event, Finish):
        return messages.GenerateReply(finish={"reason": event.reason})
    return messages.GenerateReply(image=to_image_report(event))


def _to_token(event: Token) -> Any:
    token = messages.Token(
        token_id=event.token_id,
        top_logprobs=[
            {"token_id": top.token_id, "logprob": top.logprob} for top in event.top_logprobs
        ],
    )
    if event.logprob is not None:
        token.logprob = event.logprob
    return token


def to_image_report(report: ImageReport) -> Any:
    return messages.ImageReport(
        image_index=report.image_index,
        width=report.width,
        height=report.height,
        rows=report.rows,
        columns=report.columns,
        resized_width=report.resized_width,
        resized_height=report.resized_height,
        aspect_ratio_id=report.aspect_ratio_id,
        cached=report.cached,
        encode_ms=report.encode_ms,
    )


def to_stats_reply(stats: Stats) -> Any:
    return messages.StatsReply(
        num_running=stats.num_running,
        num_waiting=stats.num_waiting,
        kv_blocks_used=stats.kv_blocks_used,
        kv_blocks_total=stats.kv_blocks_total,
        cached_pictures=stats.cached_pictures,
        resident_bytes=stats.resident_bytes,
        **_known(
            weight_bytes=stats.weight_bytes,
            kv_cache_bytes=stats.kv_cache_bytes,
            picture_bytes=stats.picture_bytes,
        ),
    )


def _prompt_logprobs(sampling: Any) -> PromptLogprobs | None:
    if not sampling.HasField("prompt_logprobs"):
        return None
    wanted = sampling.prompt_logprobs
    return PromptLogprobs(max(1, wanted.start), wanted.num_alternatives)


def _optional(message: Any, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None


def _known(**fields: int | None) -> dict[str, int]:
    return {name: value for name, value in fields.items() if value is not None}


def _json_values(options: Mapping[str, str]) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in options.items()}


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no setting")
    return value
