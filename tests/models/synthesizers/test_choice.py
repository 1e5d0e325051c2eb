"""tests: the synthesizers, and answers that are spoken with them."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from itertools import pairwise

import httpx
import numpy as np
import pytest

from audio.pcm import encode_pcm16
from models.base import AnswerChunk, AnswerPart, FunctionCall, InstanceFailed, Samples
from models.synthesizers.choice import open_synthesizer
from models.synthesizers.endpoint import EndpointSynthesizer
from models.synthesizers.espeak import EspeakSynthesizer
from models.synthesizers.recitation import spoken

needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is not installed"
)


async def all_of(pieces: AsyncIterator[Samples]) -> Samples:
    return np.concatenate([piece async for piece in pieces])


@needs_espeak
async def test_espeak_says_more_in_more_time() -> None:
    synthesizer = EspeakSynthesizer()
    short = await all_of(synthesizer.synthesize("Hello."))
    long = await all_of(synthesizer.synthesize("Hello there, what a long sentence this is."))
    assert 0.2 * 24_000 < len(short) < len(long)
    assert 0.05 < float(np.abs(long).max()) <= 1.0


@needs_espeak
async def test_espeak_speaks_as_fast_as_it_is_told() -> None:
    synthesizer = EspeakSynthesizer()
    said = [len(await all_of(synthesizer.synthesize("a sentence to be said", speed)))
            for speed in (0.1, 0.7, 1.0, 1.5)]  # fmt: skip
    assert said == sorted(said, reverse=True)
    assert said[0] > 1.2 * said[2] > 1.4 * said[3]


@needs_espeak
async def test_espeak_takes_text_as_text_and_ends_when_nobody_listens() -> None:
    synthesizer = EspeakSynthesizer()
    assert len(await all_of(synthesizer.synthesize("--version"))) > 4_000
    pieces = synthesizer.synthesize("one two three four five " * 50)
    await anext(pieces)
    await pieces.aclose()
    with pytest.raises(InstanceFailed, match="qqq"):
        await all_of(EspeakSynthesizer("qqq").synthesize("hello"))


def endpoint(status: int = 200, seen: list[httpx.Request] | None = None) -> EndpointSynthesizer:
    """One whose server says 0.1 s of a tone for each letter."""

    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        letters = len(json.loads(request.content)["input"])
        tone = np.sin(np.arange(2_400 * letters) / 9).astype(np.float32) * np.float32(0.5)
        return httpx.Response(status, content=encode_pcm16(tone))

    transport = httpx.MockTransport(answer)
    return EndpointSynthesizer("http://speech.test/", key="secret", transport=transport)


async def test_an_endpoint_is_asked_for_pcm() -> None:
    seen: list[httpx.Request] = []
    synthesizer = endpoint(seen=seen)
    samples = await all_of(synthesizer.synthesize("four"))
    assert len(samples) == 9_600
    assert float(np.abs(samples).max()) == pytest.approx(0.5, abs=0.01)
    assert str(seen[0].url) == "http://speech.test/v1/audio/speech"
    assert seen[0].headers["Authorization"] == "Bearer secret"
    assert json.loads(seen[0].content)["response_format"] == "pcm"
    await synthesizer.close()


async def test_an_answer_has_the_speed_that_was_asked_for() -> None:
    seen: list[httpx.Request] = []
    for speed in (1.0, 1.25):
        assert [part async for part in spoken(written("Yes."), endpoint(seen=seen), speed)]
    assert [json.loads(asked.content).get("speed") for asked in seen] == [None, 1.25]


async def test_an_endpoint_that_fails_says_so() -> None:
    with pytest.raises(InstanceFailed, match="503"):
        await all_of(endpoint(503).synthesize("four"))


async def written(*texts: str) -> AsyncIterator[AnswerPart]:
    for text in texts:
        yield AnswerChunk(text=text)


async def test_an_answer_is_spoken_chunk_by_chunk() -> None:
    parts = [p async for p in spoken(written("Yes, ", "of ", "course. ", "It is."), endpoint())]
    chunks = [part for part in parts if isinstance(part, AnswerChunk)]
    assert "".join(chunk.text for chunk in chunks) == "Yes, of course. It is."
    words = [word for chunk in chunks for word in chunk.words]
    assert [word.text for word in words] == ["Yes,", "of", "course.", "It", "is."]
    sound = sum(len(chunk.samples) for chunk in chunks if chunk.samples is not None)
    assert words[-1].end == sound
    assert all(before.end <= after.start for before, after in pairwise(words))
    first = next(i for i, chunk in enumerate(chunks) if chunk.samples is not None)
    assert "".join(chunk.text for chunk in chunks[first:]) != ""  # sound before the text is over


async def test_a_call_has_no_sound() -> None:
    async def calling() -> AsyncIterator[AnswerPart]:
        yield FunctionCall("lamp", "{}")

    assert [p async for p in spoken(calling(), endpoint())] == [FunctionCall("lamp", "{}")]


@pytest.mark.parametrize(
    ("choice", "kind"), [("", type(None)), ("http://localhost:9", EndpointSynthesizer)]
)
def test_a_setting_names_a_synthesizer(choice: str, kind: type) -> None:
    assert isinstance(open_synthesizer(choice), kind)


def test_a_setting_that_names_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not 'loud'"):
        open_synthesizer("loud")
