"""The layouts in which VITA-1.5 and VITA-1.0 were released, read as they are."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from torch import Tensor

from models.vita.config import (
    AdapterConfig,
    AudioEncoderConfig,
    CodecConfig,
    LanguageModelConfig,
    SpeechDecoderConfig,
    StateTokens,
    VisionConfig,
    VitaConfig,
)
from models.vita.prompt import TEMPLATES, VitaPrompt
from models.vita.tensor_files import (
    CheckpointRefused,
    Held,
    Source,
    inside,
    read_json,
    read_pickle,
    safetensors_in,
)

logger = logging.getLogger(__name__)

PREFIXES = {
    "model.audio_encoder.": "audio.",
    "model.vision_tower.vision_tower.": "vision.",
    "model.mm_projector.": "projector.",
    "model.": "language.model.",
    "lm_head.": "language.lm_head.",
}
SPEECH = "vita_tts_ckpt"
UNUSED_SPEECH = "layers_prefix."  # Freeze-Omni's prefix tuning, never used by VITA-1.5
GENERATION = "generation_config.json"
SAMPLING = ("do_sample", "temperature", "top_p", "top_k", "repetition_penalty")
RELEASED_STATES = StateTokens(query=144_766, noise=146_164, text=145_789)
VISION_HEAD = 64  # of InternViT-300M, whose own config the release does not contain


@dataclass(frozen=True, slots=True)
class Layout:
    """A model folder, understood and not loaded: its config and where each tensor is."""

    folder: Path
    config: VitaConfig
    sources: dict[str, Source]
    notes: tuple[str, ...] = field(default=())


def is_released(config: dict[str, Any]) -> bool:
    return str(config.get("model_type", "")).startswith(("vita-", "qwen2_multimodal"))


def read_released(folder: Path) -> Layout:
    """Raises CheckpointRefused."""
    config = read_json(folder / "config.json")
    if config.get("model_type") == "qwen2_multimodal":  # the demo's; the original lies beside it
        config = read_json(folder / "origin_config.json")
    template = _template(config)
    audio, vision = (
        _part_folder(folder, config, "mm_audio_encoder"),
        _part_folder(folder, config, "mm_vision_tower"),
    )
    sources = {_translate(key): source for key, source in safetensors_in(folder).items()}
    notes = [f"{name} {config[name]!r} is not in the folder and was not fetched"
             for name, path in (("mm_audio_encoder", audio), ("mm_vision_tower", vision))
             if path is None and name in config]  # fmt: skip
    notes += _generation(folder)
    speech, codec = _speech_parts(folder, sources, notes)
    encoder = audio or next(iter(sorted(folder.glob("audio-encoder*"))), None)
    return Layout(
        folder,
        VitaConfig(
            audio=_audio(sources, encoder, notes),
            adapter=_adapter(sources),
            language=_language(config),
            states=_states(folder, template),
            template=template,
            vision=_vision(sources, vision),
            speech=speech,
            codec=codec,
        ),
        sources,
        tuple(notes),
    )


def _generation(folder: Path) -> list[str]:
    """What generation_config.json asks for. Answers are greedy or drawn as their client says, as in
    VITA's own server, so none of it is applied: an operator should know."""
    path = folder / GENERATION
    if not path.exists():
        return []
    try:
        content = read_json(path)
        wishes = {name: content[name] for name in SAMPLING if name in content}
    except (CheckpointRefused, TypeError) as error:
        return [f"{GENERATION} is not used, and cannot be read: {error}"]
    asked = ", ".join(f"{name} {value}" for name, value in wishes.items()) or "nothing of it"
    return [f"{GENERATION} asks for {asked}: not applied, answers are drawn as their clients say"]


def _template(config: dict[str, Any]) -> Literal["vita-1.5", "vita-1.0"]:
    kinds: dict[str, Literal["vita-1.5", "vita-1.0"]]
    kinds = {"vita-Qwen2": "vita-1.5", "vita-mixtral": "vita-1.0"}
    kind = kinds.get(str(config.get("model_type")))
    if kind is None:
        known = ", ".join(kinds)
        raise CheckpointRefused(f"model_type {config.get('model_type')!r} is none of {known}")
    return kind


def _part_folder(folder: Path, config: dict[str, Any], field_name: str) -> Path | None:
    name = config.get(field_name)
    return inside(folder, name, f"config.json: {field_name}") if isinstance(name, str) else None


def _translate(key: str) -> str:
    for theirs, ours in PREFIXES.items():
        if key.startswith(theirs):
            return ours + key[len(theirs) :]
    return key  # surplus: the comparison will name it


def _shape(sources: dict[str, Source], key: str) -> tuple[int, ...]:
    if key not in sources:
        raise CheckpointRefused(f"{key} is missing, so the sizes of its part are unknown")
    return sources[key].shape


def _count(sources: dict[str, Source], prefix: str) -> int:
    """How many numbered parts follow a prefix."""
    numbers = {key[len(prefix) :].split(".")[0] for key in sources if key.startswith(prefix)}
    return len([number for number in numbers if number.isdigit()])


def _field(config: dict[str, Any], name: str) -> Any:
    if name not in config:
        raise CheckpointRefused(f"config.json: {name} is missing")
    return config[name]


def _language(config: dict[str, Any]) -> LanguageModelConfig:
    sparse = config["model_type"] == "vita-mixtral"
    return LanguageModelConfig(
        vocabulary=_field(config, "vocab_size"),
        width=_field(config, "hidden_size"),
        layers=_field(config, "num_hidden_layers"),
        heads=_field(config, "num_attention_heads"),
        key_value_heads=_field(config, "num_key_value_heads"),
        feed_forward=_field(config, "intermediate_size"),
        norm_epsilon=float(_field(config, "rms_norm_eps")),
        rotary_base=float(_field(config, "rope_theta")),
        positions=int(config.get("max_position_embeddings", 32_768)),
        tied=bool(config.get("tie_word_embeddings", False)),
        attention_bias=not sparse,
        experts=int(_field(config, "num_local_experts")) if sparse else 0,
        experts_used=int(config.get("num_experts_per_tok", 2)),
    )


def _audio(sources: dict[str, Source], folder: Path | None, notes: list[str]) -> AudioEncoderConfig:
    stem = "audio.encoder.enc.1."
    width, _ = _shape(sources, "audio.encoder.enc.0.core.out.0.weight")
    channels = _shape(sources, "audio.encoder.enc.0.core.conv.0.weight")[0]
    chunk, left = _chunks(folder, notes)
    return AudioEncoderConfig(
        width=width,
        layers=_count(sources, f"{stem}encoders."),
        heads=_shape(sources, f"{stem}encoders.0.self_attn.pos_bias_u")[0],
        feed_forward=_shape(sources, f"{stem}encoders.0.feed_forward.w_1.weight")[0],
        subsampling_channels=0 if channels == width else channels,
        chunk=chunk,
        left_chunks=left,
    )


def _chunks(folder: Path | None, notes: list[str]) -> tuple[int | None, int]:
    """(chunk, left chunks) of train.yaml; full attention where it is silent or draws at random."""
    full = AudioEncoderConfig().left_chunks
    if folder is None or not (folder / "train.yaml").exists():
        notes.append("no train.yaml: the audio encoder attends to the whole segment")
        return None, full
    try:
        content = yaml.safe_load((folder / "train.yaml").read_text(encoding="utf-8"))
        options = content["encoder_conf"]["para_conf"]["transformer"]
        size = int(options.get("transformer-chunk_size", -1))
        left = int(options.get("transformer-left_chunks", -1))
    except (yaml.YAMLError, KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise CheckpointRefused(f"{folder.name}/train.yaml: cannot be read ({error})") from error
    if size <= 0 or options.get("transformer-dynamic-chunks"):
        return None, full
    notes.append(f"the audio encoder attends in chunks of {size} with {left} before")
    return size, left if left >= 0 else 1_000_000


def _adapter(sources: dict[str, Source]) -> AdapterConfig:
    width, _, kernel = _shape(sources, "audio.adpter.conv1d2.weight")
    return AdapterConfig(width=width, kernel=kernel)


def _vision(sources: dict[str, Source], folder: Path | None) -> VisionConfig | None:
    if not any(key.startswith("vision.") for key in sources):
        return None
    width, _, patch, _ = _shape(sources, "vision.embeddings.patch_embedding.weight")
    places = _shape(sources, "vision.embeddings.position_embedding")[1] - 1
    described = folder / "config.json" if folder is not None else None
    own = read_json(described) if described is not None and described.exists() else {}
    return VisionConfig(
        width=width,
        layers=_count(sources, "vision.encoder.layers."),
        heads=int(own.get("num_attention_heads", max(1, width // VISION_HEAD))),
        feed_forward=_shape(sources, "vision.encoder.layers.0.mlp.fc1.weight")[0],
        image=round(places**0.5) * patch,
        patch=patch,
        query_key_bias="vision.encoder.layers.0.attn.qkv.bias" in sources,
    )


def _states(folder: Path, template: Literal["vita-1.5", "vita-1.0"]) -> StateTokens:
    path = folder / "tokenizer.json"
    if not path.exists():
        return RELEASED_STATES
    try:
        return VitaPrompt.read(path, TEMPLATES[template]).states
    except Exception as error:  # the tokenizers library raises plain Exception
        raise CheckpointRefused(f"tokenizer.json: {error}") from error


# ------------------------------------------------------------------------------------ speech


def _speech_parts(
    folder: Path, sources: dict[str, Source], notes: list[str]
) -> tuple[SpeechDecoderConfig | None, CodecConfig | None]:
    """Config of speech decoder and codec; their tensors join `sources`."""
    place = folder / SPEECH
    if not place.exists():
        notes.append(f"no {SPEECH}: speech needs a synthesizer")
        return None, None
    decoder = _decoder_tensors(place / "decoder", notes)
    sources.update({f"speech.{key}": Held(tensor) for key, tensor in decoder.items()})
    codec = _codec_tensors(place / "codec" / "final.pt")
    sources.update({f"codec.{key}": Held(tensor) for key, tensor in codec.items()})
    return _decoder(sources, place / "decoder"), _codec(read_json(place / "codec" / "model.json"))


def _decoder_tensors(folder: Path, notes: list[str]) -> dict[str, Tensor]:
    content = read_pickle(folder / "final.pt")
    tensors = _tensors(content.get("model", content), "decoder/final.pt")
    unused = [key for key in tensors if key.startswith(UNUSED_SPEECH)]
    if unused:
        notes.append(f"{len(unused)} tensors of {UNUSED_SPEECH}* are not used by this model")
    return {key: tensor for key, tensor in tensors.items() if key not in unused}


def _decoder(sources: dict[str, Source], folder: Path) -> SpeechDecoderConfig:
    content = read_json(folder / "model.json")
    try:
        heads = int(content[2]["transformer_attention_heads"])
    except (LookupError, TypeError, ValueError) as error:
        raise CheckpointRefused(f"decoder/model.json: no attention heads ({error})") from error
    rows, width = _shape(sources, "speech.embedding.weight")
    return SpeechDecoderConfig(
        width=width,
        layers=_count(sources, "speech.layers."),
        pre_layers=_count(sources, "speech.layers_pre_nn."),
        heads=heads,
        feed_forward=_shape(sources, "speech.layers.0.mlp.gate_proj.weight")[0],
        codes=rows - 4,
    )


def _codec_tensors(path: Path) -> dict[str, Tensor]:
    """Generator and quantizer, weight normalisation folded in; the encoder is not needed."""
    content = read_pickle(path)
    lacking = [name for name in ("generator", "quantizer") if name not in content]
    if lacking:
        raise CheckpointRefused(f"codec/final.pt: no {' and no '.join(lacking)}")
    generator = fold_weight_norm(_tensors(content["generator"], "codec/final.pt"))
    quantizer = _tensors(content["quantizer"], "codec/final.pt")
    return {f"generator.{k}": v for k, v in generator.items()} | {
        f"quantizer.{k}": v for k, v in quantizer.items()
    }


def fold_weight_norm(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """weight_g and weight_v of each layer as one weight: g * v / |v|, per first dimension."""
    folded = {}
    for key, tensor in tensors.items():
        if key.endswith(".weight_v"):
            gain = tensors.get(f"{key[:-1]}g")
            if gain is None:
                raise CheckpointRefused(f"codec/final.pt: {key} without its weight_g")
            norm = tensor.flatten(1).norm(dim=1).view(gain.shape)
            folded[key.removesuffix("_v")] = tensor * (gain / norm)
        elif not key.endswith(".weight_g"):
            folded[key] = tensor
    return folded


def _tensors(content: Any, where: str) -> dict[str, Tensor]:
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointRefused(f"{where}: not only tensors")
    return content


def _codec(content: dict[str, Any]) -> CodecConfig:
    try:
        speaker = tuple(int(code) for code in content["global_tokens"])
        if not all(0 <= code < int(content["n_codes"]) for code in speaker):
            raise ValueError("global_tokens out of range")
        return CodecConfig(
            codes=int(content["n_codes"]),
            code_width=int(content["upsample_initial_channel"]),
            initial_width=int(content["upsample_initial_channel"]),
            upsample_rates=tuple(content["upsample_rates"]),
            upsample_kernels=tuple(content["upsample_kernel_sizes"]),
            block_kernels=tuple(content["resblock_kernel_sizes"]),
            block_dilations=tuple(tuple(d) for d in content["resblock_dilation_sizes"]),
            global_codes=speaker,
            global_width=int(content["global_feature_conv"][2]),
            rate=int(content["sampling_rate"]),
        )
    except (KeyError, TypeError, ValueError, json.JSONDecodeError) as error:
        raise CheckpointRefused(f"codec/model.json: {error!r}") from error
