/** One conversation on the wire: a WebSocket that speaks the Realtime protocol. */

import { pause, Ticket } from "./resuming.js";

const VENDOR_EVENTS = ["decision", "verdict", "state", "swap", "times"];
const BEHIND_LIMIT = 640_000; // bytes unsent: ten seconds of sound in base64

/** What every session of this page asks for. Unknown keys are ignored by other servers. */
const SETTINGS = {
  type: "realtime",
  output_modalities: ["audio"],
  audio: { input: { transcription: { model: "nano" } } },
  antiphon: { events: VENDOR_EVENTS, playback_ack: true, resume: true, transcript_ahead: true },
};

export class Session extends EventTarget {
  #socket = null;
  #opened = false;
  #ended = false; // by us
  #key = "";
  #ticket = new Ticket();
  #wanted;

  /** @param {object} wanted what the session is to be beside the settings of this page */
  constructor(wanted = {}) {
    super();
    this.#wanted = wanted;
  }

  /** Seconds of user audio that the server has been sent. The protocol's clock. */
  seconds = 0;

  get open() {
    return this.#opened && this.#socket?.readyState === WebSocket.OPEN;
  }

  /**
   * Connects and waits for session.created.
   * @param {string} key access key, "" for none
   * @throws {Error} when the server does not take the session
   */
  connect(key) {
    this.#key = key;
    return this.#open();
  }

  /** @param {string[]} more subprotocols */
  #open(...more) {
    const url = new URL("v1/realtime", document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    const subprotocols = ["realtime", ...more];
    if (this.#key) subprotocols.push(`openai-insecure-api-key.${this.#key}`);
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, subprotocols);
      this.#socket = socket;
      this.addEventListener("session.created", () => resolve(), { once: true });
      socket.onmessage = ({ data }) => this.#receive(data);
      socket.onclose = (event) => {
        const wasOpen = this.#opened;
        this.#opened = false;
        if (!wasOpen) reject(new Error(`refused with ${event.code}`));
        else this.#end({ code: event.code, reason: event.reason });
      };
    });
  }

  /** Tries to go on over another connection; while it does, `away` has been told. */
  async #end(event) {
    if (this.#ended || !this.#ticket.isGood) return this.#tell("closed", event);
    this.#ticket.lose();
    this.#tell("away", event);
    for (const wait of this.#ticket.waits()) {
      await pause(wait);
      if (this.#ended) break;
      const back = await this.#open(this.#ticket.subprotocol).then(() => true, () => false);
      if (back) return;
    }
    this.#tell("closed", event);
  }

  #receive(text) {
    const event = JSON.parse(text);
    this.#ticket.follow(event);
    if (event.type === "session.created") {
      this.#opened = true;
      const resumed = event.session.antiphon?.resumed;
      if (resumed) this.#goOn(resumed);
      else this.configure(this.#wanted);
    }
    this.#tell(event.type, event);
    this.#tell("wire", event);
  }

  /** The server counts the user's audio anew, and hears what it has missed. */
  #goOn(resumed) {
    this.seconds = 0;
    this.#tell("resumed", resumed);
    if (resumed.unanswered) this.send("response.create");
    for (const pcm of this.#ticket.again(resumed.items)) this.hear(pcm);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Changes the session; what the page itself needs stays. */
  configure(wanted) {
    const input = { ...SETTINGS.audio.input, ...wanted.audio?.input };
    this.send("session.update", { session: { ...SETTINGS, ...wanted, audio: { input } } });
  }

  /** Calls `react(event)` for every server event of this type. */
  on(type, react) {
    this.addEventListener(type, ({ detail }) => react(detail));
    return this;
  }

  send(type, fields = {}) {
    if (!this.open) return;
    this.#socket.send(JSON.stringify({ type, ...fields }));
    this.#tell("sent", { type, ...fields });
  }

  /** @param {Int16Array} pcm 24 kHz, mono */
  hear(pcm) {
    if (this.#opened || this.#ticket.isGood) this.#ticket.keep(pcm);
    if (!this.open) return;
    if (this.#socket.bufferedAmount > BEHIND_LIMIT) return this.close(4000, "uplink too slow");
    this.send("input_audio_buffer.append", { audio: toBase64(pcm) });
    this.seconds += pcm.length / 24000;
  }

  say(text) {
    this.#create({ type: "input_text", text });
    this.send("response.create");
  }

  /** A frame of the camera: "low" says that one glance is enough and not every one counts. */
  show(imageUrl) {
    this.#create({ type: "input_image", image_url: imageUrl, detail: "low" });
  }

  #create(part) {
    const item = { type: "message", role: "user", content: [part] };
    this.send("conversation.item.create", { item });
  }

  close(code = 1000, reason = "") {
    this.#ended = true;
    this.#socket?.close(code, reason);
  }
}

function toBase64(pcm) {
  const bytes = new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  return btoa(String.fromCharCode(...bytes));
}

/**
 * @param {string} text base64 of little-endian 16-bit samples
 * @returns {Float32Array} -1..1
 */
export function toSamples(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const samples = new Float32Array(bytes.length >> 1);
  for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(2 * i, true) / 32768;
  return samples;
}
