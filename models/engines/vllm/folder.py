"""A model folder as vLLM wants to see it: a config of its own and links to the
weights, so that nothing is copied and nothing is written into the operator's folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from models.engines.prompt import FEATURE_TOKENS
from models.engines.vllm.plugin import ARCHITECTURE
from models.vita.config import LanguageModelConfig

DECODERS: Final = {"qwen2": "Qwen2ForCausalLM", "mixtral": "MixtralForCausalLM"}
_CONVERTED, _RELEASED = "language.", ("model.embed_tokens.", "model.layers.", "model.norm.")


def language_key(name: str) -> str | None:
    """A tensor's name within the language model, from its name in a converted or a released folder;
    None for a tensor of another part."""
    if name.startswith(_CONVERTED):
        return name.removeprefix(_CONVERTED)
    return name if name.startswith((*_RELEASED, "lm_head.")) else None


def engine_config(config: LanguageModelConfig, states: Sequence[int]) -> dict[str, Any]:
    """config.json of the language model alone; `states` are the ids of its state tokens."""
    sparse = config.experts > 0
    body = {
        "architectures": [ARCHITECTURE],
        "model_type": "mixtral" if sparse else "qwen2",
        "vocab_size": config.vocabulary,
        "hidden_size": config.width,
        "intermediate_size": config.feed_forward,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.key_value_heads,
        "rms_norm_eps": config.norm_epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rotary_base},
        "max_position_embeddings": config.positions,
        "tie_word_embeddings": config.tied,
        "hidden_act": "silu",
        "sliding_window": None,
        "feature_tokens": FEATURE_TOKENS,
        "state_token_ids": list(states),
        "bos_token_id": None,
        "eos_token_id": None,
    }
    if sparse:
        body |= {
            "num_local_experts": config.experts,
            "num_experts_per_tok": config.experts_used,
        }
    return body


def prepare(
    files: Sequence[Path], config: LanguageModelConfig, states: Sequence[int], target: Path
) -> Path:
    """Fill the empty folder `target` with links to these weights and a config; gives it back.
    Raises FileNotFoundError where there are no safetensors: `antiphon convert` makes them."""
    if not any(file.suffix == ".safetensors" and file.exists() for file in files):
        raise FileNotFoundError("no *.safetensors in the model folder; convert it first")
    for file in files:
        (target / file.name).symlink_to(file.resolve())
    (target / "config.json").write_text(json.dumps(engine_config(config, states), indent=1))
    return target
