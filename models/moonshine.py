"""models: Moonshine tiny-en, a pretrained recogniser of English speech, on onnxruntime.

    moonshine = load()            # raises MoonshineUnavailable, whose text is one line
    moonshine.transcribe(samples)  # "What is the capital of Spain?"

Source: Jeffries et al. 2024, arXiv 2410.15608; weights MIT, by Moonshine AI. Its two networks and
its tokens are data files of the wheel `moonshine-voice` 0.0.49, which is installed like any package
but is never imported: what is read are three files whose SHA-256 is known. Newer wheels hold no
weights. The wheel exists for Linux on x86-64 with glibc 2.34 or newer.

The encoder is not streaming: a segment that has grown is encoded again. The decoder is given the
tokens found before as a guess; it checks all of them in one step and goes on behind the last that
is still right, so hearing a segment again costs little more than its encoder.

Everything here computes in the thread that calls. The networks may be shared by threads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from models.base import HEAR_RATE, Samples

PACKAGE, FOLDER = "moonshine-voice", "moonshine_voice/assets/tiny-en"
ENCODER, DECODER, TOKENS = "encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"
SHA256 = {
    ENCODER: "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
    DECODER: "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
    TOKENS: "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
}
WIDTH = 288  # values of one encoder frame
SHORTEST = HEAR_RATE // 10  # samples; the encoder needs 60 ms, words need more
LONGEST = 30 * HEAR_RATE  # samples; of a longer sound the last ones are heard
_TOKENS_A_SECOND = 6.5  # the most that speech has, by the authors' own limit
_SPARE_TOKENS = 6
_START, _END, _BYTES = 1, 2, 3  # ids; from _BYTES on a token stands for text
_LAYERS, _HEADS, _HEAD = 6, 8, 36
_SPACE = "\u2581".encode()

Array = npt.NDArray[np.float32]


class MoonshineUnavailable(Exception):
    """The weights are not on this machine, or are not the ones that are known; says why."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was recognised. `tokens` without start and end; `certainty` is the mean probability of
    a token as the decoder chose it, the end included, 0.0 where nothing was recognised. `frames`
    [n, WIDTH] are the encoder's, from which other languages can be spelled."""

    text: str = ""
    tokens: tuple[int, ...] = ()
    certainty: float = 0.0
    frames: Array | None = field(default=None, compare=False, repr=False)


class Moonshine:
    """The encoder and the decoder, once; a models.base.Transcriber of English."""

    def __init__(self, folder: Path) -> None:
        """Read the three files of a folder. Raises MoonshineUnavailable."""
        content = {name: _checked(folder / name, wanted) for name, wanted in SHA256.items()}
        self._encoder, self._decoder = _session(content[ENCODER]), _session(content[DECODER])
        self._pieces = tuple(_pieces(content[TOKENS]))
        self._decoder_keeps = [one.name for one in self._decoder.get_inputs() if "past" in one.name]

    def transcribe(self, samples: Samples) -> str:
        """Samples [n] at 16 kHz -> words with capitals and marks."""
        return self.recognise(samples).text

    def recognise(self, samples: Samples, guess: Sequence[int] = ()) -> Recognition:
        """Samples [n] at 16 kHz; `guess`: tokens that may stand at the beginning of what is said,
        such as those of the same sound when it was shorter. Wrong ones cost a step; but steps of
        several tokens share their 8-bit scales, so of two nearly equal tokens the other may win."""
        if samples.size < SHORTEST:
            return Recognition()
        heard = samples[-LONGEST:]
        most = int(heard.size / HEAR_RATE * _TOKENS_A_SECOND) + _SPARE_TOKENS
        frames = self.encode(heard)
        tokens, shares = self._decode(frames, heard.size, guess[:most], most)
        certainty = sum(shares) / len(shares) if tokens else 0.0
        return Recognition(self._text(tokens), tuple(tokens), certainty, frames)

    def encode(self, samples: Samples) -> Array:
        """Samples [n], at least SHORTEST -> frames [n / 384, WIDTH]."""
        feed = {"input_values": samples[None], "attention_mask": _mask(samples.size)}
        frames: Array = self._encoder.run(None, feed)[0][0]
        return frames

    def _decode(
        self, frames: Array, samples: int, guess: Sequence[int], most: int
    ) -> tuple[list[int], list[float]]:
        """The likeliest tokens one by one, and the probability of each and of the end."""
        steps = _Steps(self._decoder, self._decoder_keeps, frames, samples)
        tokens: list[int] = []
        shares: list[float] = []
        for row, guessed in zip(steps.first((_START, *guess)), (*guess, None), strict=True):
            token, share = _likeliest(row)
            shares.append(share)
            if token == _END:
                return tokens, shares
            tokens.append(token)
            if token != guessed:
                break
        steps.keep(len(tokens))
        while len(tokens) < most:
            token, share = _likeliest(steps.next(tokens[-1]))
            shares.append(share)
            if token == _END:
                break
            tokens.append(token)
        return tokens, shares

    def _text(self, tokens: Sequence[int]) -> str:
        joined = b"".join(self._pieces[token] for token in tokens if token >= _BYTES)
        return joined.replace(_SPACE, b" ").decode("utf-8", "replace").strip()


class _Steps:
    """The decoder on one sound. Names and shapes are the exported graph's."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        keeps: Sequence[str],
        frames: Array,
        samples: int,
    ) -> None:
        self._session, self._keeps = session, keeps
        self._fixed: dict[str, npt.NDArray[np.generic]] = {"encoder_hidden_states": frames[None]}
        if any(one.name == "encoder_attention_mask" for one in session.get_inputs()):
            self._fixed["encoder_attention_mask"] = _mask(samples)
        empty = np.zeros((1, _HEADS, 0, _HEAD), np.float32)
        self._past = dict.fromkeys(keeps, empty)
        self._names = [one.name for one in session.get_outputs()]

    def first(self, ids: Sequence[int]) -> Array:
        """Read the first tokens: logits [n, vocabulary]."""
        return self._run(ids, begun=False)

    def next(self, token: int) -> Array:
        """Read one more token: logits [vocabulary]."""
        logits: Array = self._run((token,), begun=True)[0]
        return logits

    def keep(self, count: int) -> None:
        """Forget all but the first `count` tokens that were read."""
        self._past = {
            name: kept if ".encoder." in name else kept[:, :, :count]
            for name, kept in self._past.items()
        }

    def _run(self, ids: Sequence[int], *, begun: bool) -> Array:
        feed = {
            "input_ids": np.array([ids], np.int64),
            "use_cache_branch": np.array([begun]),
            **self._fixed,
            **self._past,
        }
        found = dict(zip(self._names, self._session.run(None, feed), strict=True))
        for name in self._keeps:
            if not begun or ".decoder." in name:  # a cached step gives no keys of the encoder
                self._past[name] = found[name.replace("past_key_values", "present")]
        logits: Array = found["logits"][0]
        return logits


@cache
def load() -> Moonshine:
    """The weights of the installed wheel, read once in a process. Raises MoonshineUnavailable."""
    return Moonshine(installed())


def installed() -> Path:
    """The folder in the wheel `moonshine-voice`, which is not imported. Raises
    MoonshineUnavailable."""
    try:
        files = metadata.distribution(PACKAGE).files or ()
    except metadata.PackageNotFoundError:
        raise MoonshineUnavailable(f"the package {PACKAGE} is not installed") from None
    for file in files:
        if file.as_posix() == f"{FOLDER}/{ENCODER}":
            return Path(str(file.locate())).parent
    raise MoonshineUnavailable(f"the installed {PACKAGE} holds no {FOLDER}/{ENCODER}")


def _checked(path: Path, wanted: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MoonshineUnavailable(f"{path.name}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != wanted:
        raise MoonshineUnavailable(f"{path.name}: not the file that is known (its SHA-256 differs)")
    return content


def _session(content: bytes) -> onnxruntime.InferenceSession:
    """One thread and no spinning: the calling thread does the work."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _pieces(content: bytes) -> Iterator[bytes]:
    """The text of each token: a length of one or two bytes, then so many bytes."""
    at = 0
    while at < len(content):
        size, at = content[at], at + 1
        if size >= 128:
            size, at = content[at] * 128 + size - 128, at + 1
        yield content[at : at + size]
        at += size


def _mask(count: int) -> npt.NDArray[np.int64]:
    """All of the sound counts; the graph wants a mask of the samples, not of the frames."""
    return np.ones((1, count), np.int64)


def _likeliest(logits: Array) -> tuple[int, float]:
    """The likeliest token and its probability."""
    token = int(logits.argmax())
    return token, float(1 / np.exp(logits - logits[token]).sum())
