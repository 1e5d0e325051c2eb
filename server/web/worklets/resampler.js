/**
 * Streaming change of sample rate by a windowed sinc: no seam between blocks, any ratio.
 *
 * Browsers run their audio at the device's rate (44.1 or 48 kHz, seldom 24), the wire at 24 kHz.
 */

const ZERO_CROSSINGS = 12;
const TABLE_STEPS = 256;

/** Half of a Hann-windowed sinc, sampled TABLE_STEPS times between zero crossings. */
function kernelTable() {
  const table = new Float32Array(ZERO_CROSSINGS * TABLE_STEPS + 2);
  table[0] = 1;
  for (let i = 1; i < ZERO_CROSSINGS * TABLE_STEPS; i++) {
    const x = (Math.PI * i) / TABLE_STEPS;
    const window = 0.5 + 0.5 * Math.cos(x / ZERO_CROSSINGS);
    table[i] = (Math.sin(x) / x) * window;
  }
  return table;
}

const TABLE = kernelTable();

export class Resampler {
  /** @param {number} from input rate, Hz  @param {number} to output rate, Hz */
  constructor(from, to) {
    this.step = from / to;
    this.cutoff = Math.min(1, to / from); // below the lower of the two Nyquist frequencies
    this.reach = Math.ceil(ZERO_CROSSINGS / this.cutoff);
    this.held = new Float32Array(this.reach); // silence before the first sample
    this.position = this.reach; // of the next output sample, in samples of `held`
  }

  /**
   * Takes a block of any length and gives the output that is now certain.
   * @param {Float32Array} block
   * @returns {Float32Array}
   */
  process(block) {
    if (this.step === 1) return block.slice();
    const joined = new Float32Array(this.held.length + block.length);
    joined.set(this.held);
    joined.set(block, this.held.length);
    const limit = joined.length - this.reach;
    const count = Math.max(0, Math.ceil((limit - this.position) / this.step));
    const out = new Float32Array(count);
    for (let i = 0; i < count; i++) out[i] = this.#sample(joined, this.position + i * this.step);
    this.position += count * this.step;
    const drop = Math.max(0, Math.floor(this.position) - this.reach);
    this.held = joined.slice(drop);
    this.position -= drop;
    return out;
  }

  /** The samples that the filter still holds back at the end of a sound. */
  finish() {
    return this.step === 1 ? new Float32Array(0) : this.process(new Float32Array(this.reach));
  }

  #sample(source, position) {
    const first = Math.ceil(position - this.reach);
    const last = Math.floor(position + this.reach);
    let sum = 0;
    for (let i = Math.max(0, first); i <= last && i < source.length; i++) {
      const place = Math.abs(position - i) * this.cutoff * TABLE_STEPS;
      const index = place | 0;
      if (index >= ZERO_CROSSINGS * TABLE_STEPS) continue;
      const weight = TABLE[index] + (TABLE[index + 1] - TABLE[index]) * (place - index);
      sum += source[i] * weight;
    }
    return sum * this.cutoff;
  }
}
