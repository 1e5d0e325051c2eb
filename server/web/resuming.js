/** How a conversation comes back after its connection was lost. */

const FIRST_WAIT = 100; // milliseconds between tries; each is twice the one before
const LONGEST_WAIT = 1000;
const PATIENCE = 30_000;
const RATE = 24_000;
const MOST_AGAIN = 9; // seconds of sound: the server catches up with ten
const LOOK_BACK = 1; // seconds before a loss in which a voice may have begun unnoticed
const BEFORE_ONSET = 0.3; // seconds: a voice is noticed a little after it has begun

/**
 * The newest token that the server has given, and the user's newest sound: after a loss all that
 * the lost server cannot have kept is said again.
 */
export class Ticket {
  #token = "";
  #seconds = 0;
  #sound = []; // the newest pieces, sent or not
  #end = 0; // seconds of sound on this connection, up to the last piece
  #lost = 0; // seconds of sound when the connection was lost
  #turn = { item: "", start: 0, end: 0 }; // the user's latest

  get isGood() {
    return this.#token !== "";
  }

  /** As browsers carry it: they cannot set headers. */
  get subprotocol() {
    return `antiphon-resume.${this.#token}`;
  }

  follow(event) {
    if (event.type?.startsWith("input_audio_buffer.")) return this.#followTurn(event);
    const ours = event.session?.antiphon;
    this.#token = ours?.resume_token ?? event.error?.resume_token ?? this.#token;
    this.#seconds = ours?.resume_seconds ?? this.#seconds;
  }

  #followTurn({ type, item_id, audio_start_ms, audio_end_ms }) {
    const seconds = (audio_start_ms ?? audio_end_ms ?? 0) / 1000;
    if (type.endsWith("speech_started")) {
      this.#turn = { item: item_id, start: seconds, end: seconds };
    } else if (type.endsWith("speech_stopped")) this.#turn.end = seconds;
    else if (type.endsWith("committed")) this.#turn.item = item_id;
  }

  /** Milliseconds to wait before each try, as long as the token is good and the user patient. */
  *waits() {
    const until = Math.min(this.#seconds * 1000, PATIENCE);
    for (let waited = 0, wait = 0; waited <= until; waited += wait) {
      yield wait;
      wait = Math.min(LONGEST_WAIT, wait * 2 || FIRST_WAIT);
    }
  }

  /** @param {Int16Array} pcm what was said, sent or not; the oldest is forgotten */
  keep(pcm) {
    this.#end += pcm.length / RATE;
    this.#sound.push({ pcm, end: this.#end });
    while (this.#sound[0].end < this.#end - MOST_AGAIN) this.#sound.shift();
  }

  /**
   * What is to be said again on a new connection, whose sound begins with it.
   * @param {string[]} known ids of the items that came back
   * @returns {Int16Array[]}
   */
  again(known) {
    const { item, start, end } = this.#turn;
    const isLost = item !== "" && !known.includes(item);
    const from = isLost ? start - BEFORE_ONSET : Math.max(end, this.#lost - LOOK_BACK);
    const pieces = this.#sound.filter((piece) => piece.end > from).map(({ pcm }) => pcm);
    this.#sound = [];
    this.#end = this.#lost = 0;
    this.#turn = { item: "", start: 0, end: 0 };
    return pieces;
  }

  /** The connection is lost at this moment of the sound. */
  lose() {
    this.#lost = this.#end;
  }
}

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
