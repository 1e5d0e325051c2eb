"""Lines and wishes in vLLM's own terms; nothing else builds its inputs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any
from weakref import WeakKeyDictionary

import torch
from vllm import SamplingParams
from vllm.engine.protocol import StreamingInput
from vllm.inputs.engine import mm_input, tokens_input
from vllm.multimodal.inputs import (
    MultiModalBatchedField,
    MultiModalFieldElem,
    MultiModalKwargsItem,
    MultiModalKwargsItems,
    PlaceholderRange,
)
from vllm.sampling_params import RequestOutputKind

from models.base import AnswerOptions
from models.engines.prompt import Feature, Prompt
from models.engines.vllm.served_model import MODALITIES, vectors_field

_NEVER = -100.0  # the bias that leaves a token no chance; vLLM takes none lower


class Urgency(IntEnum):
    """Priorities of requests: lower goes first."""

    HEARING = -10
    ANSWERING = 0
    READING = 10


class SentFeatures:
    """Which features one engine process still holds, so that they need not be sent again: the most
    recently used, up to half of the bytes that the process keeps of them by the same rule."""

    def __init__(self, kept_bytes: int) -> None:
        self._room = kept_bytes // 2
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._total = 0

    def holds(self, key: str) -> bool:
        """Does the process hold this feature, by all that was sent to it?"""
        if key not in self._sizes:
            return False
        self._sizes.move_to_end(key)
        return True

    def note(self, key: str, size: int) -> None:
        """The feature is sent, so many bytes."""
        self._sizes[key] = size
        self._total += size
        while self._total > self._room and self._sizes:
            self._total -= self._sizes.popitem(last=False)[1]

    def clear(self) -> None:
        """The process holds nothing, or not what was thought."""
        self._sizes.clear()
        self._total = 0


class EngineInputs:
    """Makes inputs for one engine, with vectors in the precision in which it computes. A feature's
    tensor is made once, however many requests bring it."""

    def __init__(self, dtype: str = "float32", kept_bytes: int = 0) -> None:
        """`kept_bytes`: what the engine's process keeps of the features of earlier requests."""
        self._dtype: torch.dtype = getattr(torch, dtype)
        self._tensors: WeakKeyDictionary[Feature, torch.Tensor] = WeakKeyDictionary()
        self.sent = SentFeatures(kept_bytes)

    def of(self, line: Prompt) -> Any:
        """A line as an engine input, with all its vectors."""
        return self._input(line, self._item)

    def news(self, line: Prompt) -> Any:
        """The same without the vectors that the process holds."""
        return self._input(line, self._new_item)

    def _input(self, line: Prompt, item: Callable[[Feature], MultiModalKwargsItem | None]) -> Any:
        features = line.features
        if not features:
            return tokens_input(line.ids)
        kinds = [kind for kind in MODALITIES if any(f.modality == kind for _, f in features)]
        of_kind = {kind: [(at, f) for at, f in features if f.modality == kind] for kind in kinds}
        return mm_input(
            prompt_token_ids=line.ids,
            mm_kwargs=MultiModalKwargsItems(
                {kind: [item(f) for _, f in group] for kind, group in of_kind.items()}
            ),
            mm_hashes={kind: [f.key for _, f in group] for kind, group in of_kind.items()},
            mm_placeholders={
                kind: [PlaceholderRange(offset=at, length=len(f)) for at, f in group]
                for kind, group in of_kind.items()
            },
        )

    def more(self, line: Prompt, params: SamplingParams) -> StreamingInput:
        """The next chunk of a resumable session."""
        return StreamingInput(prompt=self.of(line), sampling_params=params)

    def tensor(self, feature: Feature) -> torch.Tensor:
        """The vectors as they are sent, [n, width]."""
        if feature not in self._tensors:
            self._tensors[feature] = torch.from_numpy(feature.vectors.copy()).to(self._dtype)
        return self._tensors[feature]

    def _new_item(self, feature: Feature) -> MultiModalKwargsItem | None:
        if self.sent.holds(feature.key):
            return None
        self.sent.note(feature.key, self.tensor(feature).nbytes)
        return self._item(feature)

    def _item(self, feature: Feature) -> MultiModalKwargsItem:
        element = MultiModalFieldElem(data=self.tensor(feature), field=MultiModalBatchedField())
        return MultiModalKwargsItem({vectors_field(feature.modality): element})


def judging(states: Sequence[int]) -> SamplingParams:
    """One token, which nobody wants, and the log-probabilities of the state ids."""
    return SamplingParams(
        max_tokens=1,
        temperature=0.0,
        ignore_eos=True,
        detokenize=False,
        logprob_token_ids=list(states),
        output_kind=RequestOutputKind.DELTA,
    )


def answering(
    options: AnswerOptions, tokens: int, ends: Sequence[int], barred: Sequence[int]
) -> SamplingParams:
    """At most `tokens`, up to one of `ends`; never a token of `barred`."""
    return SamplingParams(
        max_tokens=tokens,
        temperature=options.temperature,
        seed=0 if options.seed is None else options.seed,
        ignore_eos=True,
        stop_token_ids=list(ends),
        detokenize=False,
        logit_bias=dict.fromkeys(barred, _NEVER) or None,
        output_kind=RequestOutputKind.DELTA,
    )


def was_lost(output: Any) -> bool:
    """Did a request end at once because the process had lost a feature that was not sent?"""
    return bool(output.outputs[0].finish_reason == "error")


def scores_of(output: Any, states: Sequence[int]) -> list[float]:
    """Log-probabilities of the state ids from the output of a `judging` request."""
    found = output.outputs[0].logprobs[-1]
    return [found[state].logprob for state in states]
