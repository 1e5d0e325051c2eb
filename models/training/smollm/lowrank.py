"""Low-rank changes to frozen linear maps (LoRA, arXiv 2106.09685), and rows of the tied table for
tokens to which the pretrained model gives no meaning."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vita.language_model import LanguageModel

RANK = 16
SCALE = 2.0  # the change is SCALE * up @ down


class LowRankLinear(nn.Module):
    """x -> W x + SCALE * up (down x), of which W stays as it is."""

    weight: Tensor

    def __init__(self, weight: Tensor, rank: int = RANK) -> None:
        super().__init__()
        out, inner = weight.shape
        self.register_buffer("weight", weight.detach(), persistent=False)
        self.down = nn.Parameter(torch.randn(rank, inner) * inner**-0.5)
        self.up = nn.Parameter(torch.zeros(out, rank))

    def forward(self, x: Tensor) -> Tensor:
        change = functional.linear(functional.linear(x, self.down), self.up)
        return functional.linear(x, self.weight) + SCALE * change


class AdaptedLanguageModel(nn.Module):
    """A frozen language model with a change to each linear map of its blocks, and new rows for
    the tokens `markers`."""

    rows_at: Tensor

    def __init__(self, model: LanguageModel, markers: tuple[int, ...], rank: int = RANK) -> None:
        super().__init__()
        model.requires_grad_(False)
        for layer in model.model.layers:
            for part in (layer.get_submodule("self_attn"), layer.get_submodule("mlp")):
                for name, child in list(part.named_children()):
                    if isinstance(child, nn.Linear):
                        setattr(part, name, LowRankLinear(child.weight, rank))
        self.model = model
        self.register_buffer("rows_at", torch.tensor(markers), persistent=False)
        self.rows = nn.Parameter(model.model.embed_tokens.weight[list(markers)].detach().clone())

    def embed(self, ids: Tensor) -> Tensor:
        """Token ids [b, n] -> vectors [b, n, w]."""
        vectors: Tensor = self.model.embed(ids)
        for place, marker in enumerate(self.rows_at):
            vectors = torch.where((ids == marker)[..., None], self.rows[place], vectors)
        return vectors

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids [b, n], padded on the right -> hidden states [b, n, w]."""
        hidden: Tensor = self.model(self.embed(ids))
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states [n, w] -> [n, vocabulary]."""
        whole: Tensor = self.model.logits(hidden)
        return whole.index_copy(-1, self.rows_at, hidden @ self.rows.T)

    def changes(self) -> dict[str, Tensor]:
        """What was trained: by name `...q_proj.down` and `.up`, and `rows`."""
        return {n: p.detach() for n, p in self.named_parameters() if p.requires_grad}
