/** The microphone as the wire wants it: 24 kHz, 16-bit, mono, in frames of 20 ms. */

import { Resampler } from "./resampler.js";

const WIRE_RATE = 24000;
const FRAME = 480; // samples, 20 ms
const PEAKS = 2; // a frame: one every 10 ms

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new Resampler(sampleRate, WIRE_RATE);
    this.frame = new Float32Array(FRAME);
    this.filled = 0;
    this.muted = false;
    this.port.onmessage = ({ data }) => {
      this.muted = data.muted;
    };
  }

  process(inputs) {
    for (const sample of this.resampler.process(this.#mono(inputs[0]))) {
      this.frame[this.filled++] = sample;
      if (this.filled === FRAME) this.#emit();
    }
    return true;
  }

  /** Silence while muted or unplugged: the session's clock counts samples and must not stop. */
  #mono(channels) {
    if (this.muted || channels.length === 0) return new Float32Array(128);
    if (channels.length === 1) return channels[0];
    return channels[0].map((left, i) => (left + channels[1][i]) / 2);
  }

  #emit() {
    const pcm = new Int16Array(FRAME);
    const peaks = new Float32Array(PEAKS);
    for (let i = 0; i < FRAME; i++) {
      const sample = Math.max(-1, Math.min(1, this.frame[i]));
      pcm[i] = Math.round(sample * 32767);
      const slot = Math.floor((i * PEAKS) / FRAME);
      peaks[slot] = Math.max(peaks[slot], Math.abs(sample));
    }
    this.filled = 0;
    this.port.postMessage({ pcm, peaks, time: currentTime }, [pcm.buffer, peaks.buffer]);
  }
}

registerProcessor("antiphon-capture", Capture);
