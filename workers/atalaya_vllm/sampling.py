"""Our sampling settings → vLLM's."""

from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind

from atalaya_worker.contract import Prompt, Sampling
from atalaya_worker.errors import WorkerError

from .grammar_mask import GrammarMask


def check(prompt: Prompt, sampling: Sampling) -> None:
    """Raises WorkerError for what this engine cannot do."""
    if sampling.prompt_logprobs is not None and prompt.pictures:
        # The image token is no row of the output head, and vLLM looks for its probability there.
        raise WorkerError(
            "unsupported_parameter",
            "The engine vllm reports log-probabilities of prompts without pictures only. Leave them "
            "out, or launch the model with --model-engine native.",
        )


def to_sampling_params(sampling: Sampling, mask: GrammarMask | None = None) -> SamplingParams:
    """Raises ValueError for what vLLM does not take."""
    wanted = sampling.prompt_logprobs
    bias: dict[int, float] = {}
    for token_id, value in sampling.logit_bias:
        bias[token_id] = bias.get(token_id, 0.0) + value
    return SamplingParams(
        # vLLM makes one at least; the engine lets it fall where none is wanted.
        max_tokens=max(1, sampling.max_tokens),
        # Under a grammar the mask sees to it: vLLM would rule out the only token that is left.
        min_tokens=min(sampling.min_tokens, sampling.max_tokens) if mask is None else 0,
        logits_processors=None if mask is None else [mask],
        logit_bias=bias or None,
        prompt_logprobs=None if wanted is None else wanted.num_alternatives,
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        min_p=sampling.min_p,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        repetition_penalty=sampling.repetition_penalty,
        seed=sampling.seed,
        logprobs=sampling.logprobs,
        stop_token_ids=list(sampling.stop_token_ids),
        # Which tokens end an answer is said by the request alone.
        ignore_eos=True,
        # Text is made in front of the engines.
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
    )
