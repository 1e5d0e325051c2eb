/**
 * Joins two clocks: seconds of user audio (the protocol's) and the audio context's seconds, in
 * which both voices are drawn. They run alike, except where sound was not sent.
 */

const TOLERANCE = 0.005; // seconds

export class Timebase {
  #anchors = [];

  /** The sample at `seconds` of user audio was captured at `time`. */
  anchor(seconds, time) {
    const last = this.#anchors.at(-1);
    if (last && Math.abs(time - seconds - last.offset) < TOLERANCE) return;
    this.#anchors.push({ seconds, offset: time - seconds });
    if (this.#anchors.length > 1000) this.#anchors.shift();
  }

  /** @returns {number | null} context time of a moment of user audio; null before any sound */
  timeOf(seconds) {
    const anchor = this.#anchors.findLast((one) => one.seconds <= seconds) ?? this.#anchors[0];
    return anchor ? seconds + anchor.offset : null;
  }
}
