"""The words of the contract, as our side of Python has them; `src/engines/engine.ts` has the same.

What arrives is checked where it becomes one of these, and trusted from there on.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Profile = Literal["ref", "hf"]
FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class LoadOptions:
    # A checkpoint directory in Hugging Face layout, absolute.
    directory: str
    profile: Profile
    max_model_len: int | None
    max_num_seqs: int | None
    kv_cache_dtype: str | None
    num_threads: int | None
    # "none" leaves the weights as they are.
    quantization: str
    # Options that only the engine knows, as JSON values.
    engine_options: Mapping[str, Any]


@dataclass(frozen=True)
class ModelInfo:
    # Tokens of prompt and answer together, at most.
    context_length: int
    # Rows of the output head: generated ids are below it.
    vocab_size: int
    # Rows of the embedding: prompt ids are below it.
    num_embeddings: int
    image_token_id: int
    bos_token_id: int
    stop_token_ids: Sequence[int]
    # Vision tokens of one tile: patches and the class token.
    vision_tokens_per_tile: int


@dataclass(frozen=True)
class Picture:
    width: int
    height: int
    # [height, width, 3], RGB, 8 bits.
    pixels: bytes
    # Hex SHA-256 over width, height and pixels: equal for equal pictures.
    content_hash: str
    # Tiles it is fitted into, at most; None: as many as the model takes.
    max_tiles: int | None = None


@dataclass(frozen=True)
class Prompt:
    # Each image token id stands for the next picture, in order.
    token_ids: Sequence[int]
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class PromptLogprobs:
    # Position of the first token that is reported, at least 1: nothing precedes the one at 0.
    start: int
    # Alternatives reported with each.
    num_alternatives: int


@dataclass(frozen=True)
class Sampling:
    # 0: nothing is generated; the prompt's log-probabilities are all that is wanted.
    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    presence_penalty: float
    frequency_penalty: float
    repetition_penalty: float
    # Unsigned 32 bits; the engine draws one when absent.
    seed: int | None
    stop_token_ids: Sequence[int]
    # Alternatives reported with each token; None: no log-probabilities.
    logprobs: int | None
    # (token id, what is added to its logit)
    logit_bias: Sequence[tuple[int, float]] = ()
    # No stop token before there are so many tokens, unless the grammar leaves nothing else.
    min_tokens: int = 0
    # xgrammar's EBNF with the start symbol `root`: what the answer's text is a sentence of.
    grammar: str | None = None
    # Report the prompt's own tokens with their log-probabilities.
    prompt_logprobs: PromptLogprobs | None = None


@dataclass(frozen=True)
class ImageReport:
    # How one picture was seen.
    width: int
    height: int
    rows: int
    columns: int
    resized_width: int
    resized_height: int
    aspect_ratio_id: int
    # Whether its states were there already.
    cached: bool
    # Time spent encoding; 0 when cached.
    encode_ms: float
    # Position among the prompt's pictures.
    image_index: int = 0


@dataclass(frozen=True)
class TokenLogprob:
    token_id: int
    logprob: float


@dataclass(frozen=True)
class Token:
    # A stop token is reported too, just before the finish.
    token_id: int
    logprob: float | None = None
    # Most likely first.
    top_logprobs: Sequence[TokenLogprob] = ()


@dataclass(frozen=True)
class PromptToken:
    # In the prompt's order, all of them before the first token.
    token: Token


@dataclass(frozen=True)
class Finish:
    reason: FinishReason


Event = ImageReport | PromptToken | Token | Finish


@dataclass(frozen=True)
class Stats:
    num_running: int
    num_waiting: int
    kv_blocks_used: int
    kv_blocks_total: int
    cached_pictures: int
    resident_bytes: int
    # By kind, where the engine knows it.
    weight_bytes: int | None = None
    kv_cache_bytes: int | None = None
    picture_bytes: int | None = None


class Engine(Protocol):
    """A loaded model that can answer. Its methods are called on the worker's event loop and never block it."""

    @property
    def model(self) -> ModelInfo: ...

    def generate(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        """Events in order, then exactly one finish. Closing it stops the work before the next step."""
        ...

    async def encode_image(self, picture: Picture) -> ImageReport: ...

    def stats(self) -> Stats: ...


OnProgress = Callable[[str, float | None], None]

# Called on a thread of its own: it may take minutes. Raises WorkerError.
EngineLoader = Callable[[LoadOptions, OnProgress], Engine]
