"""tests: what our model adds to the language model that vLLM runs."""

from __future__ import annotations

import torch

from models.engines.vllm.served_model import with_exact

STATES = [3, 70, 9]


def test_state_logits_are_exact_in_bfloat16_and_the_others_as_they_were() -> None:
    torch.manual_seed(1)
    hidden = (4 * torch.randn(5, 256)).to(torch.bfloat16)
    head = (0.3 * torch.randn(100, 256)).to(torch.bfloat16)
    wanted = hidden.double() @ head.double().T
    logits = hidden @ head.T
    found = with_exact(logits, hidden, head, torch.tensor(STATES))
    rounded = (logits[:, STATES].double() - wanted[:, STATES]).abs().max()
    assert (found[:, STATES].double() - wanted[:, STATES]).abs().max() < 1e-4 < rounded / 100
    others = [number for number in range(100) if number not in STATES]
    torch.testing.assert_close(found[:, others], logits[:, others].float(), atol=0, rtol=0)
