"""Another speed: as many frames as asked, the same in any portions, the pitch as it was."""

import numpy as np
import numpy.typing as npt
import pytest

from models.base import SPEAK_RATE, Samples
from models.vita.code_stream import LEFT, RIGHT, SAMPLES_PER_CODE, CodeStream
from models.vita.pace import Pace
from models.vita.vocoder import BANDS, FEATURES, FRAMES_PER_CODE, PITCH

FRAMES = np.random.default_rng(1).normal(size=(37, 5)).astype(np.float32)


@pytest.mark.parametrize("speed", [0.25, 0.75, 0.9, 1.0, 1.3, 1.5])
@pytest.mark.parametrize("portion", [1, 3, 37])
def test_portions_do_not_matter_and_no_time_is_lost(speed: float, portion: int) -> None:
    pace = Pace(speed)
    parts = [pace.feed(FRAMES[at : at + portion]) for at in range(0, len(FRAMES), portion)]
    parts.append(pace.flush().reshape(-1, 5))
    slow = np.concatenate(parts)
    assert len(slow) == int(np.ceil(len(FRAMES) / speed))
    places = np.minimum(np.arange(len(slow)) * speed, len(FRAMES) - 1)
    expected = [np.interp(places, np.arange(len(FRAMES)), column) for column in FRAMES.T]
    np.testing.assert_allclose(slow, np.stack(expected, 1), atol=1e-5)


def features_of(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """A voice of 200 Hz that is loud in codes above 500 alone."""
    frames = np.repeat(codes[0, LEFT : codes.shape[1] - RIGHT], FRAMES_PER_CODE)
    out = np.full((1, len(frames), FEATURES), -9.0, np.float32)
    out[0, :, :BANDS] = np.where(frames > 500, -7.0, -20.0)[:, None]
    out[0, :, PITCH], out[0, :, PITCH + 1] = np.log2(200.0), 1.0
    return out


def said(speed: float) -> Samples:
    stream = CodeStream(features_of, speed=speed)
    parts = [stream.feed([100] * 20), stream.feed([600] * 30 + [100] * 5), stream.feed([100] * 15)]
    return np.concatenate((*parts, stream.flush()))


@pytest.mark.parametrize("speed", [0.5, 0.75, 1.0, 1.5])
def test_a_code_sounds_where_it_is_said_to(speed: float) -> None:
    sound, stream = said(speed), CodeStream(features_of, speed=speed)
    assert abs(len(sound) - 70 * SAMPLES_PER_CODE / speed) < 2 * SAMPLES_PER_CODE
    loud = np.flatnonzero(np.abs(sound) > 0.02)
    assert loud[0] == pytest.approx(stream.sample_of(20), abs=400 / speed)
    assert loud[-1] == pytest.approx(stream.sample_of(50), abs=1000 / speed)
    inside = sound[stream.sample_of(22) : stream.sample_of(48)]
    spectrum = np.abs(np.fft.rfft(inside * np.hanning(len(inside)), 65536))
    low = spectrum[: 65536 * 300 // SPEAK_RATE]
    assert low.argmax() * SPEAK_RATE / 65536 == pytest.approx(200, abs=3)


def test_a_speed_is_positive() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Pace(0.0)
