"""The bundled model's size with random weights, where its own weights are too large to bring."""

from __future__ import annotations

import torch

from models.engines.bundle import CONFIG, TOKENIZER, BundleConfig
from models.engines.nano_torch import TorchNano, TorchNetworks
from models.vita.blocks import initialise
from models.vita.nano_network import NanoNetwork
from models.vita.nano_prompt import END, NanoPrompt
from server.config import BUNDLED_MODEL

_SEED = 1


def random_nano(device: str) -> TorchNano:
    """Its answers are words without sense, and never end by themselves."""
    config = BundleConfig.from_json((BUNDLED_MODEL / CONFIG).read_bytes())
    prompt = NanoPrompt.read(BUNDLED_MODEL / TOKENIZER, config.capacity)
    torch.manual_seed(_SEED)
    network = NanoNetwork(config.model, spelled=True)
    initialise(network)
    table = network.language.model.embed_tokens.weight
    network.language.lm_head.weight = table
    with torch.no_grad():
        table[prompt.ids[END]] = 0.0
    network.to(device).eval().requires_grad_(False)
    networks = TorchNetworks(
        config=config,
        prompt=prompt,
        table=table.detach().float().cpu().numpy(),
        tower=network.tower,
        language=network.language,
        eyes=network.eyes,
        speech=network.speech,
        codec=network.codec,
    )
    return TorchNano(networks)
