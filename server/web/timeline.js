/**
 * The one time line of both voices. The user's voice stands above the middle, the assistant's hangs
 * below it. Two threads run between them, one for each instance: the upper one listens, the lower
 * one speaks, and they cross where the instances swap. Between the threads stand the verdicts.
 */

import { paintDecisions, paintLatencies } from "./annotations.js";
import { Palette } from "./palette.js";

const BAR = 3; // pixels a bar, gap included
const RIBBON = 30; // pixels between the two threads
const EDGE = { top: 46, topNarrow: 26, bottom: 34, right: 116, rightNarrow: 50 };
const NARROW = 620; // pixels
const CROSSING = 18; // pixels that a swap takes
const FRAME = 33; // milliseconds between pictures
const STILL_FRAME = 250; // the same where motion is unwelcome, or nothing moves
const SHARE = 5; // of the page's time at most one part in so many goes into painting
const LAG = 0.06; // seconds behind the present: peaks arrive in blocks

export class Timeline {
  #canvas;
  #current;
  #now;
  #palette = new Palette();
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  /** Seconds between the right edge and the present, when somebody looks back. */
  back = 0;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => import("./history.js").History} current what to draw
   * @param {() => number} now present context time
   */
  constructor(canvas, current, now) {
    this.#canvas = canvas;
    this.#current = current;
    this.#now = now;
    new ResizeObserver(() => this.paint()).observe(canvas);
  }

  /** Paints for ever, and leaves slow machines time for the sound and for everything else. */
  run() {
    let next = 0;
    let shown = -1;
    const frame = (at) => {
      if (at >= next) {
        const began = performance.now();
        this.paint();
        const still = this.#still.matches || this.#now() === shown;
        shown = this.#now();
        const cost = performance.now() - began;
        next = at + Math.max(still ? STILL_FRAME : FRAME, SHARE * cost);
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  /** @param {number} seconds to move into the past; negative towards the present */
  look(seconds) {
    this.back = Math.max(0, Math.min(this.#now(), this.back + seconds));
  }

  paint() {
    const view = this.#view();
    view.pen.clearRect(0, 0, view.width, view.height);
    paintGrid(view);
    paintDucks(view);
    paintVoice(view, view.history.user, -1, () => view.color.user);
    paintVoice(view, view.history.assistant, 1, (time) => colorAt(view, time));
    paintVerdicts(view);
    paintThreads(view);
    paintLatencies(view);
    paintDecisions(view);
    paintNow(view);
  }

  /** Everything that painting needs, in CSS pixels and context seconds. */
  #view() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const ratio = devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * ratio)) this.#canvas.width = width * ratio;
    if (this.#canvas.height !== Math.round(height * ratio)) this.#canvas.height = height * ratio;
    const pen = this.#canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const narrow = width < NARROW;
    const right = width - (narrow ? EDGE.rightNarrow : EDGE.right);
    const end = Math.max(0, this.#now() - LAG) - this.back;
    const step = narrow ? 0.06 : 0.04; // seconds a bar
    const top = narrow ? EDGE.topNarrow : EDGE.top;
    const middle = top + (height - top - EDGE.bottom) * 0.52;
    return {
      pen, width, height, narrow, right, end, step, middle,
      history: this.#current(),
      live: this.back === 0,
      upper: middle - RIBBON / 2,
      lower: middle + RIBBON / 2,
      top,
      bottom: height - EDGE.bottom,
      start: end - (right / BAR) * step,
      x: (time) => right - ((end - time) / step) * BAR,
      color: this.#palette.colors,
    };
  }
}

function paintGrid(view) {
  const { pen, bottom, top, right } = view;
  if (view.end <= 0) return; // nothing has begun
  const every = 2; // seconds
  pen.strokeStyle = view.color.line;
  pen.fillStyle = view.color.quiet;
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.lineWidth = 1;
  for (let time = Math.ceil(view.start / every) * every; time <= view.end; time += every) {
    const x = Math.round(view.x(time)) + 0.5;
    if (time < 0 || x < 8) continue;
    pen.beginPath();
    pen.moveTo(x, top);
    pen.lineTo(x, bottom + 6);
    pen.stroke();
    if (x > 100 && x < right - 30) pen.fillText(clock(time), x, bottom + 20);
  }
}

function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function paintDucks(view) {
  const { pen } = view;
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "left";
  for (const duck of view.history.ducks.within(view.start, view.end)) {
    const left = Math.max(0, view.x(duck.time));
    const width = Math.min(view.right, view.x(duck.end ?? view.end)) - left;
    pen.fillStyle = view.color.duck;
    pen.fillRect(left, view.lower + 4, width, view.bottom - view.lower - 4);
    pen.fillStyle = view.color.quiet;
    if (width > 44) pen.fillText("quieter", left + 4, view.bottom - 14);
  }
}

/** Bars stand at multiples of `step`, so that they do not flicker while they move. */
function paintVoice(view, voice, direction, colorAt) {
  const { pen, step } = view;
  const base = direction < 0 ? view.upper - 7 : view.lower + 7;
  const reach = direction < 0 ? base - view.top : view.bottom - base;
  for (let slot = Math.ceil(view.start / step); slot * step < view.end; slot++) {
    const time = slot * step;
    if (time < 0) continue;
    const level = Math.min(1, voice.peak(time, time + step)) ** 0.6;
    const height = Math.max(1.5, level * reach);
    pen.fillStyle = level < 0.04 ? view.color.line : colorAt(time);
    pen.fillRect(view.x(time), direction < 0 ? base - height : base, BAR - 1, height);
  }
}

/** The colour of the instance whose answer sounds at `time`. */
function colorAt(view, time) {
  const answer = view.history.answers.findLast((one) => one.time <= time + 0.05);
  return view.color[answer?.generator ?? view.history.rolesAt(time).generator];
}

function paintVerdicts(view) {
  const { pen } = view;
  const room = RIBBON - 10;
  for (const verdict of view.history.verdicts.within(view.start, view.end)) {
    const left = view.x(verdict.time);
    const width = Math.max(2, view.x(verdict.end) - left - 1.5);
    let y = view.lower - 5;
    for (const name of ["query", "unfinished", "text", "noise"]) {
      const height = (verdict[name] ?? 0) * room;
      pen.fillStyle = view.color[name];
      pen.fillRect(left, y - height, width, height);
      y -= height;
    }
  }
}

function paintThreads(view) {
  for (const name of ["A", "B"]) {
    const { pen } = view;
    pen.strokeStyle = view.color[name];
    pen.lineWidth = 2;
    pen.beginPath();
    let y = lane(view, view.history.rolesAt(view.start - 1), name);
    pen.moveTo(0, y);
    for (const swap of view.history.swaps) {
      if (swap.time < view.start - 1 || swap.time > view.end) continue;
      const next = lane(view, swap, name);
      const from = view.x(swap.time);
      const bend = from + CROSSING / 2;
      pen.lineTo(from, y);
      pen.bezierCurveTo(bend, y, bend, next, from + CROSSING, next);
      y = next;
    }
    pen.lineTo(view.right + 18, y);
    pen.stroke();
  }
}

function lane(view, roles, name) {
  return roles.generator === name ? view.lower : view.upper;
}

function paintNow(view) {
  const { pen, right } = view;
  const roles = view.history.rolesAt(view.end);
  paintInstance(view, roles.monitor, view.upper, "monitor");
  paintInstance(view, roles.generator, view.lower, "generator");
  if (view.end <= 0) return;
  pen.strokeStyle = view.live ? view.color.noise : view.color.query;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(right + 0.5, view.top - 4);
  pen.lineTo(right + 0.5, view.bottom + 6);
  pen.stroke();
  pen.fillStyle = view.color.quiet;
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.fillText(view.live ? "now" : clock(view.end), right, view.bottom + 20);
}

function paintInstance(view, name, y, role) {
  const { pen } = view;
  const x = view.right + 24;
  pen.fillStyle = view.color[name];
  pen.beginPath();
  pen.arc(x, y, 12, 0, 2 * Math.PI);
  pen.fill();
  pen.fillStyle = view.color.panel;
  pen.font = "600 12px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.fillText(name, x, y + 4.5);
  if (view.narrow) return;
  pen.fillStyle = view.color.ink;
  pen.textAlign = "left";
  pen.font = "12px system-ui, sans-serif";
  pen.fillText(role, x + 18, y + 4);
}
