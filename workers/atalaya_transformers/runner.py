"""A loaded model: pictures in, states out; a batch of sequences in, logits out. Knows no queues."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from transformers import GenerationConfig, MllamaForConditionalGeneration

from atalaya_worker.contract import ImageReport, LoadOptions, ModelInfo, Picture, Profile
from atalaya_worker.errors import WorkerError

from .attention import CrossSegment, KvCache, Part, PictureStates, Step, StepCache
from .tiles import Processor
from .visible import visible_ranges


@dataclass(frozen=True)
class StepSequence:
    """A sequence's part of a forward pass."""

    token_ids: Sequence[int]
    start: int
    cache: KvCache
    pictures: Sequence[PictureStates]
    image_positions: Sequence[int]
    # Which of `token_ids`' rows the logits are wanted of.
    wanted_rows: Sequence[int]


class Runner:
    def __init__(
        self,
        model: MllamaForConditionalGeneration,
        processor: Processor,
        options: LoadOptions,
    ) -> None:
        self._model = model
        self._processor = processor
        self._profile: Profile = options.profile
        self.device = model.lm_head.weight.device
        text = model.config.text_config
        self.cross_layers = list(text.cross_attention_layers)
        self._num_layers = text.num_hidden_layers
        self._heads = text.num_key_value_heads
        self._head_size = text.hidden_size // text.num_attention_heads
        self._tokens_per_tile = model.model.vision_model.num_patches
        self._dtype = model.model.multi_modal_projector.weight.dtype
        self._check_processor()
        self.max_positions: int = text.max_position_embeddings

    def _check_processor(self) -> None:
        config = self._model.config.vision_config
        side, tiles = self._processor.side, self._processor.max_tiles
        if side != config.image_size or tiles != config.max_num_tiles:
            raise WorkerError(
                "corrupt_model_file",
                f"preprocessor_config.json cuts pictures into {tiles} tiles of {side} pixels, and "
                f"config.json takes {config.max_num_tiles} of {config.image_size}. Fetch both again.",
            )

    @property
    def element_size(self) -> int:
        return self._dtype.itemsize

    @property
    def weight_bytes(self) -> int:
        return sum(p.numel() * p.element_size() for p in self._model.parameters())

    @property
    def kv_bytes_per_token(self) -> int:
        layers = self._num_layers - len(self.cross_layers)
        return layers * 2 * self._heads * self._head_size * self.element_size

    @property
    def max_picture_bytes(self) -> int:
        tokens = self._processor.max_tiles * self._tokens_per_tile
        per_token = 2 * self._heads * self._head_size * self.element_size
        return len(self.cross_layers) * tokens * per_token

    def info(self, directory: str, context_length: int) -> ModelInfo:
        config = self._model.config
        text = config.text_config
        try:
            generation = GenerationConfig.from_pretrained(directory, local_files_only=True)
        except OSError:
            generation = GenerationConfig(eos_token_id=text.eos_token_id)
        stops = generation.eos_token_id
        if stops is None:
            stops = text.eos_token_id
        return ModelInfo(
            context_length=context_length,
            vocab_size=self._model.lm_head.out_features,
            num_embeddings=self._model.model.language_model.embed_tokens.num_embeddings,
            image_token_id=config.image_token_index,
            bos_token_id=text.bos_token_id,
            stop_token_ids=list(stops) if isinstance(stops, (list, tuple)) else [int(stops)],
            vision_tokens_per_tile=self._tokens_per_tile,
        )

    @torch.inference_mode()
    def encode(self, picture: Picture) -> tuple[PictureStates, ImageReport]:
        tiles = self._processor.tiles(picture)
        body = self._model.model
        features = body.vision_model(
            pixel_values=tiles.pixel_values.to(self.device, self._dtype),
            aspect_ratio_ids=tiles.aspect_ratio_ids.to(self.device),
            aspect_ratio_mask=tiles.aspect_ratio_mask.to(self.device),
        ).last_hidden_state
        # [max_tiles, tokens, hidden]. What `ref` never looks at is not kept.
        states = body.multi_modal_projector(features)[0, 0]
        kept = states if self._profile == "hf" else states[: tiles.num_tiles]
        flat = kept.reshape(1, -1, kept.shape[-1])
        layers = {}
        for index in self.cross_layers:
            attn = body.language_model.layers[index].cross_attn
            keys = attn.k_proj(flat).view(-1, self._heads, self._head_size).transpose(0, 1)
            values = attn.v_proj(flat).view(-1, self._heads, self._head_size).transpose(0, 1)
            layers[index] = (attn.k_norm(keys).contiguous(), values.contiguous())
        report = ImageReport(
            width=picture.width,
            height=picture.height,
            rows=tiles.rows,
            columns=tiles.columns,
            resized_width=tiles.resized_width,
            resized_height=tiles.resized_height,
            aspect_ratio_id=int(tiles.aspect_ratio_ids[0, 0]),
            cached=False,
            encode_ms=0.0,
        )
        return PictureStates(layers, tiles.num_tiles * self._tokens_per_tile), report

    @torch.inference_mode()
    def step(self, batch: Sequence[StepSequence]) -> list[npt.NDArray[np.float32]]:
        """One forward pass. For each sequence the logits [wanted rows, vocab_size]."""
        step, positions, wanted = self._layout(batch)
        ids = [token for sequence in batch for token in sequence.token_ids]
        has_pictures = any(sequence.pictures for sequence in batch)
        device = self.device
        sees = torch.tensor(step.sees_pictures, dtype=self._dtype, device=device)
        hidden = self._model.model.language_model(
            input_ids=torch.tensor([ids], device=device),
            position_ids=torch.tensor([positions], device=device),
            past_key_values=StepCache(self._num_layers, has_pictures, device),
            full_text_row_masked_out_mask=sees[None, None, :, None] if has_pictures else None,
            use_cache=True,
            step=step,
        ).last_hidden_state
        rows = torch.tensor(wanted, dtype=torch.int64, device=device)
        logits = self._model.lm_head(hidden[0, rows]).float().cpu().numpy()
        out, first = [], 0
        for sequence in batch:
            out.append(logits[first : first + len(sequence.wanted_rows)])
            first += len(sequence.wanted_rows)
        return out

    def _layout(self, batch: Sequence[StepSequence]) -> tuple[Step, list[int], list[int]]:
        step = Step()
        positions: list[int] = []
        wanted: list[int] = []
        for sequence in batch:
            first, count = len(positions), len(sequence.token_ids)
            end = sequence.start + count
            step.parts.append(Part(first, count, sequence.start, sequence.cache))
            positions.extend(range(sequence.start, end))
            wanted.extend(first + row for row in sequence.wanted_rows)
            if not sequence.pictures:
                step.sees_pictures.extend([False] * count)
                continue
            for seen in visible_ranges(sequence.image_positions, sequence.start, end):
                step.sees_pictures.extend([bool(seen.pictures)] * (seen.end - seen.start))
                pictures = self._seen(sequence, seen.pictures)
                if pictures:
                    row = first + seen.start - sequence.start
                    step.segments.append(CrossSegment(row, seen.end - seen.start, pictures))
        return step, positions, wanted

    def _seen(
        self, sequence: StepSequence, indices: Sequence[int]
    ) -> list[tuple[PictureStates, int]]:
        """Pictures, and how many of their tokens: those of the used tiles, which come first."""
        if indices:
            shown = [sequence.pictures[index] for index in indices]
            return [(states, states.num_visible) for states in shown]
        if self._profile == "ref":
            return []
        # Transformers lets a row that may see nothing see everything, unused tiles too.
        return [
            (states, next(iter(states.layers.values()))[0].shape[1]) for states in sequence.pictures
        ]
