"""Fields of the beta protocol, which older clients still send."""

from __future__ import annotations

# A field's beta name and its place in today's session.
_SESSION = {
    "modalities": "output_modalities",
    "voice": "audio.output.voice",
    "speed": "audio.output.speed",
    "input_audio_format": "audio.input.format",
    "output_audio_format": "audio.output.format",
    "input_audio_transcription": "audio.input.transcription",
    "input_audio_noise_reduction": "audio.input.noise_reduction",
    "turn_detection": "audio.input.turn_detection",
    "max_response_output_tokens": "max_output_tokens",
    "temperature": "antiphon.temperature",
}
_RESPONSE = {
    "modalities": "output_modalities",
    "voice": "audio.output.voice",
    "output_audio_format": "audio.output.format",
    "max_response_output_tokens": "max_output_tokens",
}
_TODAY = {f"session.{old}": f"session.{new}" for old, new in _SESSION.items()}
_TODAY |= {f"response.{old}": f"response.{new}" for old, new in _RESPONSE.items()}


def name_of_today(param: str) -> str | None:
    """The path that the GA protocol has for a beta field's path; None where it is no beta field."""
    return _TODAY.get(param)
