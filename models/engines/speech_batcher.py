"""The room where the voices of one instance speak: the decoder steps for all of
them at once, each in its own row of one memory.

A voice tells which code it reads next before it wants to know what follows. The first to ask has
the decoder step for all that wait, and they find their results ready. So voices come and go between
steps, none waits for another, and what each says is its own: its past, its places, its dice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from weakref import ReferenceType, ref

import torch
from torch import Tensor

from models.engines.cuda_graphs import GraphedStep, uses_graphs
from models.engines.kv_buffers import Buffers, Step, static_step
from models.vita.cache import LayerCache
from models.vita.speech_decoder import SpeechDecoder, batch_rows, row_places

logger = logging.getLogger(__name__)
DEFAULT_ROWS = 8  # where steps are graphs: those are captured before anybody speaks


class SpeechBatcher:
    """Memory for spoken chunks of at most `text` vectors and `codes`. Its rows are doubled when
    more voices come than there are: the streams of an instance are counted elsewhere. Where steps
    are graphs they are captured when it is made, for its first `rows`; with more rows steps are
    slower. One thread."""

    def __init__(
        self, decoder: SpeechDecoder, text: int, codes: int, rows: int = DEFAULT_ROWS
    ) -> None:
        self.decoder, self.text, self.capacity = decoder, text, 1 + text + codes
        self._step = _speech_step(decoder)
        self._graphs: dict[int, GraphedStep] = {}
        self._is_graphed = uses_graphs(decoder.norm.weight)
        rows = batch_rows(max(2, rows if self._is_graphed else 0))
        self._buffers = self._empty(rows)
        self._holders: list[ReferenceType[SpeechSlot] | None] = [None] * rows
        if self._is_graphed:
            sizes = {batch_rows(n + 1) for n in range(rows)}
            self._graphs = {size: self._graph(size) for size in sizes}

    @property
    def device(self) -> torch.device:
        return self.decoder.norm.weight.device

    def claim(self, line: SpeechSlot) -> int:
        """A row that nobody has."""
        row = next((at for at, line in enumerate(self._lines()) if line is None), None)
        if row is None:
            row = len(self._holders)
            self._double()
        self._holders[row] = ref(line)
        return row

    def fill(self, row: int, kept: Sequence[Tensor]) -> None:
        """Keys and values of each layer, [1, n, heads, head], at the beginning of a row."""
        self._buffers.part(row, row + 1).put(kept, 0)

    def step(self, asker: SpeechSlot) -> None:
        """One code for whoever waits. Where a first sound is asked for, only first sounds."""
        waiting = [
            line
            for line in self._lines()
            if line is not None and line.waits and (line.urgent or not asker.urgent)
        ]
        if len(waiting) == 1 and not self._is_graphed:
            self._give(waiting, self._alone(asker))
        else:
            self._line_up(waiting)
            self._give(waiting, self._together(len(waiting)))

    def _give(self, lines: Sequence[SpeechSlot], made: tuple[Tensor, ...]) -> None:
        """`made`: rows as in memory, or that of the only line."""
        found = [each.to("cpu", torch.float32, copy=True) for each in made]
        for line in lines:
            row = line.row if len(found[0]) > 1 else 0
            line.take(found[0][row], found[1][row] if len(found) > 1 else None)

    def _alone(self, line: SpeechSlot) -> tuple[Tensor, ...]:
        """Without a mask, over no more keys than there are."""
        window = self._buffers.part(line.row, line.row + 1).window(line.length)
        code = torch.tensor([[line.code]], device=self.device)
        place = torch.tensor([line.length], device=self.device)
        return self._step(code, place, window, None)

    def _together(self, count: int) -> tuple[Tensor, ...]:
        """For `count` of the first rows. Those that only fill up the step write where their next
        code will stand, which does no harm."""
        lines = self._lines()[: batch_rows(count)]
        past = [0 if line is None else line.length for line in lines]
        codes = [0 if line is None else line.code for line in lines]
        read = torch.tensor(codes, device=self.device)[:, None]
        if len(lines) in self._graphs:
            return self._graphs[len(lines)](read, *past)
        part = self._buffers.part(0, len(lines), 1 + max(past))
        return static_step(self._step, part, read, torch.tensor(past, device=self.device))

    def _line_up(self, lines: Sequence[SpeechSlot]) -> None:
        """Bring their rows among the first."""
        size = batch_rows(len(lines))
        inside = {line.row for line in lines}
        free = (row for row in range(size) if row not in inside)
        for line in lines:
            if line.row >= size:
                self._exchange(line.row, next(free))

    def _exchange(self, first: int, second: int) -> None:
        there = [line for line in (self._lines()[first], self._lines()[second]) if line is not None]
        self._buffers.exchange(first, second, max(line.length for line in there))
        held = self._holders
        held[first], held[second] = held[second], held[first]
        for row in (first, second):
            line = self._lines()[row]
            if line is not None:
                line.row = row

    def _lines(self) -> list[SpeechSlot | None]:
        return [None if holder is None else holder() for holder in self._holders]

    def _graph(self, size: int) -> GraphedStep:
        example = torch.zeros(size, 1, dtype=torch.long, device=self.device)
        return GraphedStep(self._step, self._buffers.part(0, size), example)

    def _double(self) -> None:
        larger = self._empty(2 * len(self._holders))
        larger.copy(self._buffers)
        self._buffers = larger
        if self._graphs:
            logger.warning("more than %d voices: they speak without graphs", len(self._holders))
        self._graphs.clear()  # they write where the memory was, and none is captured while serving
        self._holders += [None] * len(self._holders)

    def _empty(self, rows: int) -> Buffers:
        config, like = self.decoder.config, self.decoder.norm.weight
        head = config.width // config.heads
        length = row_places(self.capacity)
        return Buffers.empty(config.layers, length, config.heads, head, like, rows)


class SpeechSlot:
    """One voice in a room; it reads one spoken chunk after the other."""

    def __init__(self, room: SpeechBatcher) -> None:
        self.room, self.decoder = room, room.decoder
        self.row = -1  # none until it speaks
        self.length = self.code = 0  # read so far; read next
        self.urgent = False
        self._is_expected = False
        self._made: tuple[Tensor, Tensor | None] | None = None

    @property
    def full(self) -> bool:
        return self.length >= self.room.capacity

    @property
    def waits(self) -> bool:
        return self._is_expected and not self.full

    def begin(self, text: Tensor) -> None:
        """Read text vectors [n, width] of a new chunk; those beyond the room are left out."""
        _, kept = self.decoder.prefill(text[None, : self.room.text])
        if self.row < 0:
            self.row = self.room.claim(self)
        self.room.fill(self.row, kept)
        self.length = kept[0].shape[1]
        self._is_expected, self._made = False, None

    def expect(self, code: int, urgent: bool = False) -> None:
        """`code` will be read next. `urgent`: it leads to an answer's first sound."""
        self.code, self.urgent, self._is_expected = code, urgent, True

    def advance(self, code: int) -> tuple[Tensor, Tensor | None]:
        """Read one code: the logits [codes + 4] of the next, and the aligner's weights [keys] over
        bos, text, codes (and perhaps places that are empty); float32 on the CPU."""
        if self._made is None:
            self.expect(code, self.urgent)
            self.room.step(self)
        made, self._made = self._made, None
        assert made is not None and code == self.code
        return made

    def take(self, logits: Tensor, weights: Tensor | None) -> None:
        """The room has read the code."""
        self._made, self._is_expected = (logits, weights), False
        self.length += 1


class SpeechBatchers:
    """The rooms of one model. An instance is one thread, so each thread has its own."""

    def __init__(self, rows: int = DEFAULT_ROWS) -> None:
        """`rows`: voices of one instance whose steps are graphs."""
        self._rows = rows
        self._here = threading.local()

    def line(self, decoder: SpeechDecoder, text: int, codes: int) -> SpeechSlot:
        """A voice in the room of this thread."""
        room: SpeechBatcher | None = getattr(self._here, "room", None)
        if room is None:
            room = self._here.room = SpeechBatcher(decoder, text, codes, self._rows)
        return SpeechSlot(room)


def _speech_step(decoder: SpeechDecoder) -> Step:
    """Logits, and the aligner's weights where the decoder has one."""

    def step(
        codes: Tensor, positions: Tensor, cache: Sequence[LayerCache], mask: Tensor | None
    ) -> tuple[Tensor, ...]:
        logits, weights = decoder.step(codes, positions, cache, mask)
        return (logits,) if weights is None else (logits, weights)

    return step
