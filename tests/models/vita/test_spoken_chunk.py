"""Choosing codes and following the letters."""

import numpy as np
import numpy.typing as npt
import pytest

from models.vita.code_stream import SAMPLES_PER_CODE
from models.vita.letters import spell
from models.vita.spoken_chunk import BOS, END, PADDING, START, CodeChoice, SpokenChunkDecoder


def logits(best: int, second: int | None = None) -> npt.NDArray[np.float32]:
    out = np.zeros(1028, np.float32)
    out[[BOS, START, PADDING]] = 99.0  # never a code
    out[best] = 9.0
    if second is not None:
        out[second] = 9.0
    return out


def weights(letters: int, place: int) -> npt.NDArray[np.float32]:
    out = np.full(1 + letters + 5, 0.01, np.float32)
    out[0], out[-1] = 0.9, 0.9  # bos and codes do not count
    out[1 + place] = 0.5
    return out


def recite(text: str, places: list[int]) -> SpokenChunkDecoder:
    recital = SpokenChunkDecoder(spell(text))
    for number, place in enumerate(places):
        assert recital.take(logits(number), weights(len(recital.spelling.letters), place)) == number
    return recital


def test_words_have_the_samples_of_their_letters() -> None:
    recital = recite("The 2 cats.", [0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12])
    recital.take(logits(END), weights(12, 11))
    spans = [(word.text, word.start, word.end) for word in recital.words(before=100)]
    unit = SAMPLES_PER_CODE
    assert [text for text, _, _ in spans] == ["The", "2", "cats."]
    assert spans[0][1:] == (100 * unit, 103 * unit)
    assert spans[1][1:] == (104 * unit, 107 * unit)
    assert recital.complete


def test_the_place_never_goes_back_nor_leaps() -> None:
    recital = recite("abcdefghijklmnopqrstuvwxyz", [0, 3, 1, 20, 5])
    assert recital.places == sorted(recital.places)
    assert max(np.diff(recital.places)) <= 6


def test_it_ends_when_its_letters_are_said() -> None:
    recital = SpokenChunkDecoder(spell("Hello."))
    taken = [recital.take(logits(END), weights(6, place)) for place in (0, 2, 4)]
    assert None not in taken and END not in taken  # too early: the next best code
    assert recital.take(logits(END), weights(6, 4)) is None
    assert recital.complete and [word.text for word in recital.words()] == ["Hello."]


def test_a_decoder_that_forgets_to_end_is_ended_in_the_last_pause() -> None:
    recital = recite("Hi.", [0, 1, 2])
    silent = sum(recital.take(logits(7), weights(3, 2)) is not None for _ in range(40))
    assert silent < 12 and recital.complete


@pytest.mark.parametrize("text", ["hi.", "a long sentence, with many letters in it."])
def test_a_lost_decoder_is_stopped(text: str) -> None:
    recital = SpokenChunkDecoder(spell(text))
    count = len(recital.spelling.letters)
    while recital.take(logits(7), weights(count, 1)) is not None:
        assert len(recital.codes) < 100
    assert not recital.complete


def test_drawing_is_seeded_and_keeps_to_the_best() -> None:
    def drawn(seed: int) -> list[int]:
        recital = SpokenChunkDecoder(spell("abcdefgh"), CodeChoice(top_k=2, seed=seed))
        for place in range(8):
            recital.take(logits(3, second=5), weights(8, place))
        return recital.codes

    assert drawn(1) == drawn(1) and set(drawn(1)) == {3, 5}
