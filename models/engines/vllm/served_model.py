"""The model that vLLM runs: a language model of its own, and places in the
prompt that take vectors which our encoders made outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from vllm.config import VllmConfig
from vllm.model_executor.models.interfaces import SupportsMultiModal, SupportsPP
from vllm.model_executor.models.utils import (
    AutoWeightsLoader,
    init_vllm_registered_model,
    maybe_prefix,
)
from vllm.multimodal import MULTIMODAL_REGISTRY
from vllm.multimodal.inputs import MultiModalFieldConfig
from vllm.multimodal.processing import (
    BaseDummyInputsBuilder,
    BaseMultiModalProcessor,
    BaseProcessingInfo,
)

from models.engines.vllm.folder import DECODERS, language_key

MODALITIES = ("audio", "image")


def vectors_field(modality: str) -> str:
    """The keyword under which the vectors of a modality come in."""
    return f"{modality}_vectors"


class MultimodalLimits(BaseProcessingInfo):  # type: ignore[misc]
    """As many features as there is room for; the length of each is checked before it is sent."""

    def get_supported_mm_limits(self) -> Mapping[str, int | None]:
        return dict.fromkeys(MODALITIES)

    def get_mm_max_tokens_per_item(
        self, seq_len: int, mm_counts: Mapping[str, int]
    ) -> Mapping[str, int]:
        return dict.fromkeys(MODALITIES, self.ctx.get_hf_config().feature_tokens)


class DummyInputs(BaseDummyInputsBuilder):  # type: ignore[misc]
    """There is no encoder in the engine whose memory would have to be profiled."""

    def get_dummy_text(self, mm_counts: Mapping[str, int]) -> str:
        return ""

    def get_dummy_mm_data(
        self, seq_len: int, mm_counts: Mapping[str, int], *_: Any, **__: Any
    ) -> dict[str, Any]:
        return {}


class MultimodalProcessor(BaseMultiModalProcessor):  # type: ignore[misc]
    """Inputs are made by hand (models.engines.vllm.requests); this only names their fields."""

    requires_tokenizer = False

    def _get_mm_fields_config(self, *_: Any, **__: Any) -> Mapping[str, MultiModalFieldConfig]:
        return {vectors_field(m): MultiModalFieldConfig.batched(m) for m in MODALITIES}

    def _get_prompt_updates(self, *_: Any, **__: Any) -> Sequence[Any]:
        return []


@MULTIMODAL_REGISTRY.register_processor(
    MultimodalProcessor, info=MultimodalLimits, dummy_inputs=DummyInputs
)
class Talker(nn.Module, SupportsMultiModal, SupportsPP):  # type: ignore[misc]
    """token ids and vectors -> logits."""

    states: Tensor  # ids of the state tokens

    @classmethod
    def get_placeholder_str(cls, modality: str, i: int) -> str | None:
        return None

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = "") -> None:
        super().__init__()
        config = vllm_config.model_config.hf_config
        self.config = config
        with self._mark_language_model(vllm_config):  # type: ignore[operator]
            self.language_model = init_vllm_registered_model(
                vllm_config=vllm_config,
                hf_config=config,
                prefix=maybe_prefix(prefix, "language_model"),
                architectures=[DECODERS[config.model_type]],
            )
        states = torch.tensor(config.state_token_ids, dtype=torch.long)
        self.register_buffer("states", states, persistent=False)
        self.make_empty_intermediate_tensors = self.language_model.make_empty_intermediate_tensors

    def embed_multimodal(self, **fields: Any) -> list[Tensor]:
        """Vectors of each feature, [n, width], as they came."""
        dtype = next(self.language_model.parameters()).dtype
        given = (fields.get(vectors_field(modality)) for modality in MODALITIES)
        return [vectors.to(dtype) for group in given if group is not None for vectors in group]

    def forward(
        self,
        input_ids: Tensor,
        positions: Tensor,
        intermediate_tensors: Any = None,
        inputs_embeds: Tensor | None = None,
        **_: Any,
    ) -> Any:
        return self.language_model.model(
            input_ids, positions, intermediate_tensors, inputs_embeds=inputs_embeds
        )

    def compute_logits(self, hidden_states: Tensor) -> Tensor | None:
        logits: Tensor | None = self.language_model.compute_logits(hidden_states)
        if logits is None or logits.dtype == torch.float32:
            return logits
        return with_exact(logits, hidden_states, self.language_model.lm_head.weight, self.states)

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> set[str]:
        loaded: set[str] = AutoWeightsLoader(self).load_weights(_language(weights))
        return loaded


def with_exact(logits: Tensor, hidden: Tensor, head: Tensor, ids: Tensor) -> Tensor:
    """Logits [n, vocabulary] in float32, those of `ids` [m] computed in it from the hidden states
    [n, width] and the head [vocabulary, width]: near 20 those of bfloat16 have steps of 0.125,
    and a verdict is the difference of a few."""
    found = logits.float()
    found[:, ids] = hidden.float() @ head[ids].float().T
    return found


def _language(weights: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
    """Of a whole model's tensors those of its language model, as vLLM calls them."""
    for name, tensor in weights:
        key = language_key(name)
        if key is not None:
            yield f"language_model.{key}", tensor
