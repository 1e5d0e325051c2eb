/** How a conversation comes back after its connection was lost. */

const FIRST_WAIT = 100; // milliseconds between tries; each is twice the one before
const LONGEST_WAIT = 1000;
const PATIENCE = 30_000;
const HELD_LIMIT = 10 * 24_000; // samples said meanwhile: the server catches up with so many

/** The newest token that the server has given, and what was said while nobody listened. */
export class Ticket {
  #token = "";
  #seconds = 0;
  #held = [];
  #count = 0;

  get isGood() {
    return this.#token !== "";
  }

  /** As browsers carry it: they cannot set headers. */
  get subprotocol() {
    return `antiphon-resume.${this.#token}`;
  }

  follow(event) {
    const ours = event.session?.antiphon;
    this.#token = ours?.resume_token ?? event.error?.resume_token ?? this.#token;
    this.#seconds = ours?.resume_seconds ?? this.#seconds;
  }

  /** Milliseconds to wait before each try, as long as the token is good and the user patient. */
  *waits() {
    const until = Math.min(this.#seconds * 1000, PATIENCE);
    for (let waited = 0, wait = 0; waited <= until; waited += wait) {
      yield wait;
      wait = Math.min(LONGEST_WAIT, wait * 2 || FIRST_WAIT);
    }
  }

  /** @param {Int16Array} pcm what was said; the oldest is forgotten */
  hold(pcm) {
    this.#held.push(pcm);
    this.#count += pcm.length;
    while (this.#count > HELD_LIMIT) this.#count -= this.#held.shift().length;
  }

  /** @returns {Int16Array[]} */
  release() {
    const held = this.#held;
    this.#held = [];
    this.#count = 0;
    return held;
  }
}

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
