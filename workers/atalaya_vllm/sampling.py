"""Our sampling settings → vLLM's."""

from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind

from atalaya_worker.contract import Sampling


def to_sampling_params(sampling: Sampling) -> SamplingParams:
    """Raises ValueError for what vLLM does not take."""
    return SamplingParams(
        max_tokens=sampling.max_tokens,
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
