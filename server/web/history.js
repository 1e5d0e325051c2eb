/** What the timeline shows: two voices as peaks, and what was decided about them. */

const SECONDS_KEPT = 600;
const PEAKS_A_SECOND = 100;
const SLOTS = SECONDS_KEPT * PEAKS_A_SECOND;
const MARKS_KEPT = 2000;

/** Loudness of one voice, 0..1, one value every 10 ms of context time, in a ring. */
export class Voice {
  #levels = new Float32Array(SLOTS);
  #newest = -1;

  /** @param {Float32Array} peaks  @param {number} end context time after the last of them */
  add(peaks, end) {
    const last = Math.round(end * PEAKS_A_SECOND);
    for (let i = 0; i < peaks.length; i++) this.#put(last - peaks.length + i, peaks[i]);
  }

  #put(slot, level) {
    for (let gap = Math.max(this.#newest + 1, slot - SLOTS); gap < slot; gap++) {
      this.#levels[gap % SLOTS] = 0;
    }
    const fresh = slot > this.#newest;
    this.#levels[slot % SLOTS] = fresh ? level : Math.max(level, this.#levels[slot % SLOTS]);
    this.#newest = Math.max(this.#newest, slot);
  }

  /** The loudest of [start, end), context time. */
  peak(start, end) {
    const first = Math.max(0, Math.floor(start * PEAKS_A_SECOND), this.#newest - SLOTS + 1);
    const last = Math.min(this.#newest, Math.max(first, Math.ceil(end * PEAKS_A_SECOND) - 1));
    let peak = 0;
    for (let slot = first; slot <= last; slot++) peak = Math.max(peak, this.#levels[slot % SLOTS]);
    return peak;
  }
}

/** Marks of one kind, oldest first. Each has `time`; spans have `end` too. */
class Marks extends Array {
  keep(mark) {
    this.push(mark);
    if (this.length > MARKS_KEPT) this.shift();
    return mark;
  }

  /** Those that reach into [start, end]. The newest are last, so the search goes from there. */
  within(start, end) {
    let first = this.length;
    while (first > 0 && (this[first - 1].end ?? end) >= start) first--;
    return this.slice(first).filter((mark) => mark.time <= end);
  }
}

export class History {
  user = new Voice();
  assistant = new Voice();
  verdicts = new Marks(); // {time, end, query, noise, text, unfinished}
  decisions = new Marks(); // {time, end, reason}
  swaps = new Marks(); // {time, generator, monitor}: who is who from then on
  answers = new Marks(); // {time, end?, generator}: sound of one answer as played
  ducks = new Marks(); // {time, end?}: spans at reduced gain
  latencies = new Marks(); // {time, end}: from the user's last sound to the answer's first

  /** Who was what at a moment. */
  rolesAt(time) {
    return this.swaps.findLast((swap) => swap.time <= time) ?? { generator: "A", monitor: "B" };
  }
}
