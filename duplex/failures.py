"""What happens after the models could not hear a turn: when is it tried again (pure).

Without a pause every window of the same voice would be a new turn that fails, many a second.
"""

from __future__ import annotations

FIRST_DELAY_S, MAX_DELAY_S = 0.5, 8.0  # session time; doubled with each failure in a row
TURN_ENDS_S = 0.5  # silence, user audio, after which voice is another turn


class HearingFailures:
    """Counts failures in a row and says when hearing may be tried again.

    `in_failed_turn` holds while the voice goes on of a turn whose failure was told.
    """

    def __init__(self) -> None:
        self._in_a_row = 0
        self._retry_at = 0.0  # session time
        self.in_failed_turn = False

    def note(self, now: float) -> None:
        """Hearing failed at session time `now`."""
        delay = min(FIRST_DELAY_S * 2.0**self._in_a_row, MAX_DELAY_S)
        self._in_a_row += 1
        self._retry_at = now + delay

    def note_success(self) -> None:
        """The monitor judged: it hears."""
        self._in_a_row = 0

    def may_try(self, now: float) -> bool:
        return not self._in_a_row or now >= self._retry_at

    def follow(self, silence: float) -> None:
        """So much silence, in seconds of user audio, since the voice of the failed turn."""
        if silence >= TURN_ENDS_S:
            self.in_failed_turn = False
