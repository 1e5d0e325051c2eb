/**
 * The answers' way to the loudspeaker: one item after the other, and nothing once it is dropped.
 *
 * In:  {sound, item} samples at 24 kHz · {end, item} no more will come · {drop} all, at once.
 * Out: {item, played, time} samples heard so far · {audible, item, time} its first audible sample
 *      · {finished, item} · {peaks, time} of what left, one every 10 ms
 *      · {slow, cushion} the sound came too late twice, and more is waited for from now on.
 */

import { Resampler } from "./resampler.js";

const WIRE_RATE = 24000;
const CUSHION = 0.03; // seconds in hand before an item starts or goes on after a gap
const LARGEST_CUSHION = 0.48;
const GAPS = 2; // after so many the cushion grows, and somebody is told
const FADE = 0.005; // seconds; a hard cut clicks
const AUDIBLE = 0.005; // -46 dB of full scale
const REPORT = 0.05; // seconds between reports

class Item {
  constructor(id) {
    this.id = id;
    this.resampler = new Resampler(WIRE_RATE, sampleRate);
    this.blocks = [];
    this.offset = 0; // in the first block
    this.queued = 0; // samples, device rate
    this.played = 0; // samples, device rate
    this.flowing = false;
    this.ended = false;
    this.audible = false;
  }

  add(block) {
    if (block.length === 0) return;
    this.blocks.push(block);
    this.queued += block.length;
  }

  /** Whether there is something to play now; after a gap a cushion is waited for. */
  ready(cushion) {
    if (this.queued === 0) this.flowing = false;
    else if (this.ended || this.queued >= cushion * sampleRate) this.flowing = true;
    return this.flowing;
  }

  next() {
    const sample = this.blocks[0][this.offset++];
    if (this.offset === this.blocks[0].length) {
      this.blocks.shift();
      this.offset = 0;
    }
    this.queued--;
    this.played++;
    return sample;
  }
}

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this.items = [];
    this.fading = null; // the item that was dropped, while it fades
    this.fadeLeft = 0;
    this.peak = 0;
    this.peaks = [];
    this.counted = 0;
    this.gaps = 0;
    this.cushion = CUSHION;
    this.port.onmessage = ({ data }) => this.#take(data);
  }

  #take({ sound, end, drop, item }) {
    if (drop) return this.#drop();
    const last = this.items.at(-1);
    const target = last?.id === item ? last : this.items.find((one) => one.id === item);
    if (sound) {
      const queue = target ?? this.#open(item);
      queue.add(queue.resampler.process(sound));
    } else if (end && target) {
      target.add(target.resampler.finish());
      target.ended = true;
    }
  }

  #open(id) {
    const item = new Item(id);
    this.items.push(item);
    return item;
  }

  #drop() {
    const dropped = this.items;
    this.items = [];
    for (const item of dropped) this.#report(item);
    this.fading = dropped[0]?.flowing ? dropped[0] : null;
    this.fadeLeft = Math.round(FADE * sampleRate);
  }

  process(_inputs, outputs) {
    const channels = outputs[0];
    for (let i = 0; i < channels[0].length; i++) {
      const sample = this.#fade() + this.#play(currentTime + i / sampleRate);
      for (const channel of channels) channel[i] = sample;
      this.#measure(Math.abs(sample));
    }
    return true;
  }

  #fade() {
    if (!this.fading) return 0;
    const gain = this.fadeLeft-- / (FADE * sampleRate);
    const sample = this.fading.queued > 0 ? this.fading.next() * gain : 0;
    if (this.fadeLeft <= 0) this.fading = null;
    return sample;
  }

  #play(time) {
    const item = this.items[0];
    if (!item) return 0;
    const wasFlowing = item.flowing;
    if (!item.ready(this.cushion)) {
      if (item.ended && item.queued === 0) this.#finish(item);
      else if (wasFlowing) this.#noteGap();
      return 0;
    }
    const sample = item.next();
    if (!item.audible && Math.abs(sample) > AUDIBLE) {
      item.audible = true;
      this.port.postMessage({ audible: true, item: item.id, time });
    }
    return sample;
  }

  /** The sound comes more slowly than it is played: some more is kept in hand. */
  #noteGap() {
    if (++this.gaps < GAPS || this.cushion >= LARGEST_CUSHION) return;
    this.gaps = 0;
    this.cushion *= 2;
    this.port.postMessage({ slow: true, cushion: this.cushion });
  }

  #finish(item) {
    this.items.shift();
    this.#report(item);
    this.port.postMessage({ finished: true, item: item.id });
  }

  #report(item) {
    const played = Math.floor((item.played * WIRE_RATE) / sampleRate);
    this.port.postMessage({ item: item.id, played, time: currentTime });
  }

  #measure(level) {
    this.peak = Math.max(this.peak, level);
    if (++this.counted % Math.round(sampleRate / 100) !== 0) return;
    this.peaks.push(this.peak);
    this.peak = 0;
    if (this.peaks.length < REPORT * 100) return;
    this.port.postMessage({ peaks: Float32Array.from(this.peaks), time: currentTime });
    this.peaks = [];
    if (this.items[0]?.flowing) this.#report(this.items[0]);
  }
}

registerProcessor("antiphon-playback", Playback);
