"""Sound that comes late: more of it is buffered, nothing of it is lost, and it is said once."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from tests.web.page import Page
from tests.web.stand_in import Stage, WireEvent, answer

pytestmark = pytest.mark.browser
SAID = "The sound comes late: the server, this machine or the network is slow."
SECONDS = 4.0


def stuttering(pause: float, every: float) -> list[tuple[float, WireEvent]]:
    """An answer that stops arriving for so long, again and again."""
    found = []
    for moment, event in answer(1, 0.5, SECONDS, "A voice that stutters on its way."):
        stops = int((moment - 0.5) / every)
        found.append((moment + stops * pause, event))
    return found


def heard(stage: Stage) -> int:
    played = [event["audio_ms"] for event in stage.of_type("antiphon.playback")]
    return max(played, default=0)


def test_a_machine_that_is_too_slow_is_said_once_and_all_is_heard(
    chromium: Any, address: str, stage: Stage
) -> None:
    stage.scene = stuttering(pause=0.5, every=0.6)
    page = Page(chromium, address)
    page.press("#talk")
    page.until(lambda: heard(stage) > SECONDS * 1000 - 100, 30)
    assert [text for text in page.texts(".turn.remark .words") if text == SAID] == [SAID]


LATE_AND_FEWER = """
    const done = arguments[0];
    (async () => {
      const rate = 24000, context = new OfflineAudioContext(1, 48000 * 8, 48000);
      await context.audioWorklet.addModule('/worklets/playback.js');
      const node = new AudioWorkletNode(context, 'antiphon-playback', { numberOfInputs: 0 });
      node.connect(context.destination);
      const slow = [];
      node.port.onmessage = ({ data }) => data.slow && slow.push(data.cushion);
      let sent = 0;
      const give = (seconds) => {
        const sound = new Float32Array(rate * seconds).fill(0.5);
        sent += sound.length;
        node.port.postMessage({ sound, item: 'a' });
      };
      // Every half a second 0.4 s of sound arrive: a stutter that no buffer can mend at first.
      for (let n = 0; n < 8; n++) {
        context.suspend(0.1 + n * 0.5).then(() => {
          give(0.4);
          if (n === 7) node.port.postMessage({ end: true, item: 'a' });
          setTimeout(() => context.resume(), 20);
        });
      }
      const rendered = (await context.startRendering()).getChannelData(0);
      await new Promise((resolve) => setTimeout(resolve, 50));
      let loud = 0;
      for (const sample of rendered) loud += Math.abs(sample) > 0.25;
      done([slow, loud / 48000, sent / rate]);
    })();
"""


def test_the_cushion_grows_and_loses_nothing(chromium: Any, address: str) -> None:
    page = Page(chromium, address)
    cushions, loud, sent = page.browser.execute_async_script(LATE_AND_FEWER)
    assert cushions and cushions == sorted(cushions) and max(cushions) <= 0.48
    assert cushions[0] == pytest.approx(0.06)
    assert loud == pytest.approx(sent, abs=0.05)
