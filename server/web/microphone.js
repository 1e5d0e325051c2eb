/** The user's voice: permission, echo cancellation, frames of 20 ms at 24 kHz. */

/** Echo is cancelled here, where the loudspeaker is known; noise is left for the model to judge. */
const WISHES = { echoCancellation: true, autoGainControl: true, noiseSuppression: false };

export class Microphone {
  #stream = null;
  #node = null;

  /**
   * @param {AudioContext} context
   * @param {(frame: {pcm: Int16Array, peaks: Float32Array, time: number}) => void} hear
   * @throws {DOMException} as getUserMedia does; NotSupportedError where the page is not secure
   */
  async open(context, hear) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new DOMException("no microphone on an insecure page", "NotSupportedError");
    }
    this.#stream = await navigator.mediaDevices.getUserMedia({ audio: WISHES });
    await context.audioWorklet.addModule(new URL("worklets/capture.js", import.meta.url));
    this.#node = new AudioWorkletNode(context, "antiphon-capture", { numberOfOutputs: 0 });
    this.#node.port.onmessage = ({ data }) => hear(data);
    context.createMediaStreamSource(this.#stream).connect(this.#node);
  }

  get isOpen() {
    return this.#node !== null;
  }

  /** Sends silence instead of sound: the session's clock goes on. */
  mute(muted) {
    this.#node?.port.postMessage({ muted });
  }

  /** Calls `react` when the device goes away or the permission is taken back. */
  onLost(react) {
    for (const track of this.#stream?.getTracks() ?? []) track.addEventListener("ended", react);
  }

  close() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#node?.disconnect();
    this.#stream = null;
    this.#node = null;
  }
}
