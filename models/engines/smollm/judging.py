"""Whether what was said is a whole query: nano judges its sound, SmolLM2 its words.

nano has met few voices and few questions: it takes most open questions of strangers for noise. The
words say more there, and SmolLM2 reads them anyway before it answers. The sound says more of what
breaks off, behind which a transcriber puts a full stop. So the two are multiplied, the sound in a
lower power, and neither can exclude a state alone. Where the words have the form of a question or a
request (models.word_evidence), a sound that nano takes for noise may as well be a query.

The numbers were chosen on 162 clips of people and noise; the model card has the figures.
"""

from __future__ import annotations

from models.base import Conversation, Verdict
from models.engines.smollm.chat_model import SmolChatModel
from models.word_evidence import evidence_of

SOUND_POWER, SOUND_FLOOR = 0.7, 0.02
UNFINISHED_FLOOR = 0.1  # of the words' scores
NOISE_FLOOR, ASKING_FLOOR = 0.2, 0.05  # the latter where the words have the form of a question
MISTAKEN = 0.2  # there, the share of the sound's noise that counts as a query


class SmolJudge:
    """A models.engines.cascade.instance.WordJudge."""

    def __init__(self, chat: SmolChatModel) -> None:
        self._chat = chat

    async def judged(self, conversation: Conversation, verdict: Verdict) -> Verdict:
        """Raises InstanceFailed."""
        by_words = await self._chat.judge(conversation, verdict.words, verdict.heard)
        return combined(verdict, by_words)


def combined(by_sound: Verdict, by_words: Verdict) -> Verdict:
    """The verdict on one segment from that on its sound and that on its words."""

    def weighed(sound: float, words: float) -> float:
        return float(max(sound, SOUND_FLOOR) ** SOUND_POWER) * words

    asks = evidence_of(by_sound.words).query > 1
    heard = max(by_sound.query + by_sound.text, MISTAKEN * by_sound.noise if asks else 0.0)
    query = weighed(heard, by_words.query)
    noise = weighed(by_sound.noise, max(by_words.noise, ASKING_FLOOR if asks else NOISE_FLOOR))
    unfinished = weighed(by_sound.unfinished, max(by_words.unfinished, UNFINISHED_FLOOR))
    whole = query + noise + unfinished
    return Verdict(
        query / whole, noise / whole, unfinished=unfinished / whole,
        words=by_sound.words, heard=by_sound.heard,
    )  # fmt: skip
