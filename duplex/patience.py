"""How this session's user pauses, and what that does to the endpoint delay. Pure; seconds.

A user who was cut off is given more time for some turns; one who never pauses is waited for less.
How the pitch and level of a voice fall at its end is no part of it: on 402 spoken orders they said
nothing that the verdict had not said (a third of the true ends and a third of the pauses ended
level), so waiting by them cost 25 ms in the median and saved no turn.
"""

from __future__ import annotations

from dataclasses import dataclass

# No turn is taken before so much silence: what sounds like an end may be the stop of a consonant.
MIN_DELAY_S = 0.1
# What a cut-off adds to the next turns' delays, at most how much, and what is left of it after a
# turn without one.
CUT_OFF_LATER_S = 0.20
MAX_LATER_S = 0.40
KEPT_AFTER_TURN = 0.7
# After so many turns in a row without a pause inside, the delay is this much shorter.
FLUENT_TURNS = 3
FLUENT_EARLIER_S = 0.03
# A gap between words shorter than this is no pause.
MIN_HABIT_PAUSE_S = 0.16


@dataclass(slots=True)
class PauseHabit:
    """What is known of how this session's user pauses inside a turn."""

    later_s: float = 0.0
    num_fluent: int = 0
    _longest_pause_s: float = 0.0

    def note_pause(self, seconds: float, *, was_taken_for_end: bool) -> None:
        """The user went on after so much silence inside a turn. `was_taken_for_end`: the answer
        had been begun, held back."""
        self._longest_pause_s = max(self._longest_pause_s, seconds)
        if was_taken_for_end:
            self._give_time(CUT_OFF_LATER_S / 2)

    def note_cut_off(self) -> None:
        """An answer began to sound, and the user was still in the middle of the turn."""
        self.num_fluent = 0
        self._give_time(CUT_OFF_LATER_S)

    def note_turn(self) -> None:
        """A turn was taken."""
        is_fluent = self._longest_pause_s < MIN_HABIT_PAUSE_S
        self.num_fluent = self.num_fluent + 1 if is_fluent else 0
        self._longest_pause_s = 0.0
        self.later_s *= KEPT_AFTER_TURN

    def adapt(self, delay: float) -> float:
        """The endpoint delay for this user, where `delay` is what the settings say."""
        return max(min(delay, MIN_DELAY_S), delay + self._change_s)

    @property
    def _change_s(self) -> float:
        is_fluent = self.num_fluent >= FLUENT_TURNS and self.later_s < FLUENT_EARLIER_S
        return -FLUENT_EARLIER_S if is_fluent else self.later_s

    def _give_time(self, seconds: float) -> None:
        self.later_s = min(MAX_LATER_S, self.later_s + seconds)
