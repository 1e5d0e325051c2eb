"""Who generates and who monitors: a session's partners, their answers, swaps and replacements.

Roles belong to the session. The monitor's answer makes it the generator; an instance that does not
stop is left behind and a fresh stream takes its part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from audio.recent import RecentAudio
from duplex import events as happened
from duplex.conversation import Note
from duplex.pair import Lease
from duplex.partner import Partner, Surroundings
from duplex.patience import ILL_PATIENCE, STOP_PATIENCE, expect_end
from duplex.sounds import Sounds
from models.base import AnswerChunk, AnswerOptions, Conversation, Instance


@dataclass(frozen=True, slots=True)
class Shared:
    """What all partners of a session share, and whom they tell."""

    recording: RecentAudio
    sounds: Sounds
    report: Callable[[happened.Event], None]
    make_sound: Callable[[int, AnswerChunk], None]
    room: Callable[[int], Awaitable[None]]
    measure: Callable[[str, float], None]


class Roles:
    """The generator, the monitor, and streams beside them. `opening` is how a conversation begins.

    `on_stuck` is called when the generator or monitor given to it does not stop.
    """

    def __init__(
        self,
        lease: Lease,
        shared: Shared,
        opening: Callable[[], Conversation],
        on_stuck: Callable[[Partner], None],
    ) -> None:
        self._lease, self._shared, self._opening, self._on_stuck = lease, shared, opening, on_stuck
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[Partner, asyncio.Task[None]] = {}
        self._owners: dict[int, Partner] = {}  # who gives which answer
        self._beside: dict[int, Partner] = {}
        first, second = lease.roles
        self.generator = self._partner(first, opening)
        self.monitor = self._partner(second, opening)

    def start(self, group: asyncio.TaskGroup) -> None:
        """Let both partners work in `group`, knowing an empty conversation."""
        self._group = group
        for partner in (self.generator, self.monitor):
            self._start(partner)
            partner.agree(())

    def renew(self) -> None:
        """The conversation begins otherwise now."""
        for partner in (self.generator, self.monitor):
            partner.renew()

    def swap(self) -> None:
        """The monitor is the generator now."""
        self.generator, self.monitor = self.monitor, self.generator

    # ------------------------------------------------------------------------------ answers

    def answer(
        self, response_id: int, options: AnswerOptions, journal: tuple[Note, ...] | None
    ) -> None:
        """The monitor answers what it has heard (`journal` None), or what the journal asks."""
        self._owners[response_id] = self.monitor
        self.monitor.answer(response_id, options, journal)

    def answer_beside(
        self, response_id: int, options: AnswerOptions, conversation: Conversation
    ) -> None:
        """Another context than the session's: a stream of its own, gone with the answer."""
        partner = self._partner(self.monitor.instance, lambda: conversation)
        self._start(partner)
        self._owners[response_id] = self._beside[response_id] = partner
        partner.answer(response_id, options, None)

    def cancel(self, response_id: int, *, rewind: bool) -> None:
        """Stop an answer; with `rewind` it never was, and its segment goes on."""
        partner = self._owners.pop(response_id, None)
        if partner is None:
            return
        job = partner.job
        partner.cancel_answer(response_id)
        if rewind:
            partner.go_on()
        if job is not None:
            expect_end(job, STOP_PATIENCE, lambda: self._give_up(partner, job))

    def end_answer(self, response_id: int) -> bool:
        """An answer is over. True if it was given beside the conversation."""
        self._owners.pop(response_id, None)
        partner = self._beside.pop(response_id, None)
        if partner is None:
            return False
        partner.is_lost = True
        self._tasks.pop(partner).cancel()
        return True

    # ------------------------------------------------------------------------- replacements

    def replace(self, partner: Partner) -> Partner:
        """A fresh stream on another instance in this partner's part; `partner` is left behind."""
        fresh_instance = self._leave(partner)
        fresh = self._partner(fresh_instance, self._opening)
        if partner is self.monitor:
            self.monitor = fresh
        else:
            self.generator = fresh
        self._start(fresh)
        return fresh

    def _leave(self, partner: Partner) -> Instance:
        partner.is_lost = True
        job, instance = partner.job, partner.instance
        if job is not None:
            self._lease.mark_stuck(instance)
            job.add_done_callback(lambda _: self._lease.mark_well(instance))
            expect_end(job, ILL_PATIENCE, lambda: self._lease.mark_ill(instance))
        task = self._tasks.pop(partner, None)
        if task is not None:
            task.cancel()
        return self._lease.replacement(partner.instance, self.generator.instance)

    def _give_up(self, partner: Partner, job: asyncio.Task[None]) -> None:
        """An instance that does not stop leaves this session's lease."""
        if partner.job is not job or partner.is_lost:
            return
        self._shared.measure("stuck_instances", 1.0)
        if partner in (self.monitor, self.generator):
            self._on_stuck(partner)

    # ----------------------------------------------------------------------------- partners

    def _partner(self, instance: Instance, opening: Callable[[], Conversation]) -> Partner:
        partner: Partner
        around = Surroundings(
            self._shared.recording,
            self._shared.sounds,
            opening,
            lambda event: None if partner.is_lost else self._shared.report(event),
            lambda response_id, chunk: self._take_sound(partner, response_id, chunk),
            self._shared.room,
            self._shared.measure,
        )
        partner = Partner(instance, around)
        return partner

    def _start(self, partner: Partner) -> None:
        assert self._group is not None
        self._tasks[partner] = self._group.create_task(partner.run(), name="partner")

    def _take_sound(self, partner: Partner, response_id: int, chunk: AnswerChunk) -> None:
        if not partner.is_lost and self._owners.get(response_id) is partner:
            self._shared.make_sound(response_id, chunk)
