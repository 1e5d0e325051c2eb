/** The assistant's voice: plays items in order and forgets them at once when told to. */

export class Speaker extends EventTarget {
  #node = null;
  #dropped = new Set(); // items that must not come back when late sound arrives

  /** @param {AudioContext} context */
  async open(context) {
    await context.audioWorklet.addModule(new URL("worklets/playback.js", import.meta.url));
    this.#node = new AudioWorkletNode(context, "antiphon-playback", {
      numberOfInputs: 0,
      outputChannelCount: [1],
    });
    this.#node.port.onmessage = ({ data }) => this.#report(data);
    this.#node.connect(context.destination);
  }

  /** Events: audible {item, time} · played {item, played, time} · finished {item} · peaks · slow {cushion}. */
  #report(data) {
    const type = ["audible", "finished", "peaks", "slow"].find((one) => one in data) ?? "played";
    this.dispatchEvent(new CustomEvent(type, { detail: data }));
  }

  on(type, react) {
    this.addEventListener(type, ({ detail }) => react(detail));
    return this;
  }

  /** @param {string} item  @param {Float32Array} sound 24 kHz */
  play(item, sound) {
    if (!this.#dropped.has(item)) this.#node?.port.postMessage({ sound, item }, [sound.buffer]);
  }

  /** No more sound of this item will come. */
  end(item) {
    this.#node?.port.postMessage({ end: true, item });
  }

  /** Silence now. `items` are those that were playing or waiting. */
  drop(items) {
    for (const item of items) this.#dropped.add(item);
    this.#node?.port.postMessage({ drop: true });
  }

  close() {
    this.#node?.disconnect();
    this.#node = null;
    this.#dropped.clear();
  }
}
