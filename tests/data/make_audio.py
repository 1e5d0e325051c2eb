"""Recipe of the clips in tests/data/audio; run by hand, with espeak-ng and flite installed, and
with Kokoro as `python -m models.training voices` leaves it.

    python tests/data/make_audio.py

Every clip is 16 kHz mono FLAC: 0.3 s of faint room noise, the sound, 1.0 s of room noise.
`clips.json` says for each what is said and where the first and last voiced samples are, measured
on the synthesiser's own output before the noise was added.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from models.training.kokoro import RATE as NEURAL_RATE
from models.training.kokoro import kokoro

Samples: TypeAlias = npt.NDArray[np.float32]

RATE = 16_000
FOLDER = Path(__file__).parent / "audio"
BEFORE, AFTER = int(0.3 * RATE), int(1.0 * RATE)  # samples
ROOM = 0.0003  # level of the room noise, about -70 dB
PEAK = 0.5
FLOOR = 0.003  # a sample is voiced if the 5 ms around it are louder than this share of the peak

# espeak-ng reads Chinese characters only with a dictionary that Debian leaves out; pinyin always.
PINYIN = {
    "法国的首都是哪里？": "fa3guo2 de5 shou3du1 shi4 na3li3",
    "二加三等于几？": "er4 jia1 san1 deng3yu2 ji3",
    "停！": "ting2",
}
# name: (synthesiser and voice, what is said)
SPEECH = {
    "question_en_capital": ("flite:slt", "What is the capital of France?"),
    "question_en_sum": ("espeak:en-us", "What is two plus three?"),
    "question_en_colour": ("flite:rms", "What colour is the sky?"),
    "question_zh_capital": ("espeak:cmn-latn-pinyin", "法国的首都是哪里？"),
    "question_zh_neural": ("kokoro:zm_yunyang", "星期一后面是星期几？"),
    "question_zh_sum": ("espeak:cmn-latn-pinyin", "二加三等于几？"),
    "story_en": ("espeak:en-gb", "Tell me a story."),
    "unfinished_en": ("flite:slt", "What is the capital of"),
    "stop_en": ("flite:rms", "Stop."),
    "wait_en": ("espeak:en-us", "Wait."),
    "never_mind_en": ("flite:slt", "Never mind."),
    "stop_zh": ("espeak:cmn-latn-pinyin", "停！"),
    "yes_en": ("flite:awb", "Yes."),
    "backchannel_mhm": ("espeak:en-us", "[[m'hm]]"),
    "backchannel_yeah": ("flite:rms", "Yeah."),
    "side_talk_salt": ("flite:rms", "Tom, can you pass me the salt?"),
    "statement_en": ("espeak:en-gb", "The train to the coast left at noon."),
    "long_en": (
        "flite:slt",
        "The river runs past the old mill, under the stone bridge, and out to the sea. "
        "In spring it is wide and brown, and in summer it is thin and clear.",
    ),
}


def speak(voice: str, text: str) -> Samples:
    """Samples [n] at 16 kHz of a sentence."""
    engine, name = voice.split(":")
    if engine == "kokoro":
        return np.asarray(soxr.resample(kokoro().speak(text, name), NEURAL_RATE, RATE))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        if engine == "flite":
            command = ["flite", "-voice", name, "-t", text, "-o", str(path)]
        else:
            command = ["espeak-ng", "-v", name, "-s", "155", "-w", str(path)]
            command.append(PINYIN.get(text, text))
        subprocess.run(command, check=True, capture_output=True)
        samples, rate = soundfile.read(path, dtype="float32")
    converted: Samples = soxr.resample(samples, rate, RATE)
    return converted


def burst(generator: np.random.Generator, seconds: float, decay: float, low: float) -> Samples:
    """Noise [n] that dies away, high-passed at `low` Hz."""
    count = int(seconds * RATE)
    lines = np.fft.rfft(generator.normal(0, 1, count))
    lines[np.fft.rfftfreq(count, 1 / RATE) < low] = 0
    envelope = np.exp(-np.arange(count) / (decay * RATE))
    return (np.fft.irfft(lines, count) * envelope).astype(np.float32)


def clap(generator: np.random.Generator) -> Samples:
    gap = np.zeros(int(0.35 * RATE), dtype=np.float32)
    return np.concatenate([burst(generator, 0.12, 0.012, 900), gap] * 2 + [gap[:1]])


def cough(generator: np.random.Generator) -> Samples:
    """A hard burst, a rough voiced end, twice: cough-like, not a cough."""
    hard = burst(generator, 0.16, 0.05, 250)
    time = np.arange(int(0.18 * RATE)) / RATE
    rough = np.sign(np.sin(2 * np.pi * (170 - 250 * time) * time)) * np.exp(-time / 0.06)
    rough = rough * 0.25 + 0.35 * burst(generator, 0.18, 0.07, 400)
    one = np.concatenate([hard / np.abs(hard).max(), rough / np.abs(rough).max() * 0.5])
    return np.concatenate([one, np.zeros(int(0.2 * RATE)), one * 0.7]).astype(np.float32)


def typing(generator: np.random.Generator) -> Samples:
    """Two seconds of key strokes."""
    sound = np.zeros(2 * RATE, dtype=np.float32)
    for at in np.cumsum(generator.uniform(0.09, 0.2, 12)):
        stroke = burst(generator, 0.03, 0.005, 1500) * generator.uniform(0.4, 1.0)
        start = int(at * RATE)
        sound[start : start + len(stroke)] += stroke[: len(sound) - start]
    return sound


def fan(generator: np.random.Generator) -> Samples:
    """Two seconds of steady low noise."""
    lines = np.fft.rfft(generator.normal(0, 1, 2 * RATE))
    lines /= np.maximum(np.fft.rfftfreq(2 * RATE, 1 / RATE), 100)
    return np.fft.irfft(lines).astype(np.float32)


def voiced_span(sound: Samples) -> tuple[int, int]:
    """First and one past the last sample around which there is sound."""
    level = np.sqrt(np.convolve(sound**2, np.ones(80) / 80, "same"))
    loud = np.flatnonzero(level > FLOOR * np.abs(sound).max())
    return int(loud[0]), int(loud[-1]) + 1


def write(name: str, sound: Samples, said: str) -> dict[str, object]:
    """One clip on disk; its line in clips.json."""
    sound = sound / np.abs(sound).max() * PEAK
    first, last = voiced_span(sound)
    generator = np.random.default_rng(sum(name.encode()))
    clip = generator.normal(0, ROOM, BEFORE + len(sound) + AFTER)
    clip[BEFORE : BEFORE + len(sound)] += sound
    soundfile.write(FOLDER / f"{name}.flac", clip, RATE, subtype="PCM_16")
    return {"said": said, "first_voiced": BEFORE + first, "end_of_voice": BEFORE + last}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    lines = {name: write(name, speak(*how), how[1]) for name, how in SPEECH.items()}
    for noise in (clap, cough, typing, fan):
        lines[noise.__name__] = write(noise.__name__, noise(np.random.default_rng(7)), "")
    (FOLDER / "clips.json").write_text(
        json.dumps(lines, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
