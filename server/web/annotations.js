/** Words on the timeline: what became of each stretch of sound, and how fast the answer came. */

const REASONS = {
  answered: "Answered",
  stopped: "Stopped",
  "ignored-noise": "Noise, ignored",
  "ignored-side-talk": "Side talk, ignored",
  "ignored-other-speaker": "Another voice, ignored",
  "ignored-backchannel": "Mhm, heard",
  echo: "Echo of itself",
  abandoned: "Too little",
  superseded: "Went on",
  "not-requested": "Not requested",
  failed: "Failed",
};

/** @param {string} reason as on the wire  @param {boolean} over whether an answer was playing */
export function nameOf(reason, over = false) {
  if (over && reason === "answered") return "Interrupted the answer";
  if (over && reason === "stopped") return "Stopped the answer";
  return REASONS[reason] ?? reason;
}

/** Seconds as people say them. */
export function inWords(seconds) {
  return `answered after ${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
}

const ROWS = 2; // rows of labels over the user's voice
const ROW = 16; // pixels
const NAME = 104; // pixels at the left, where the voices' names stand

export function paintDecisions(view) {
  const { pen } = view;
  const taken = new Array(ROWS).fill(-Infinity);
  pen.font = "12px system-ui, sans-serif";
  pen.textAlign = "left";
  for (const decision of view.history.decisions.within(view.start, view.end)) {
    const left = view.x(decision.time);
    const right = Math.max(left + 3, view.x(decision.end));
    const label = nameOf(decision.reason, decision.over);
    const row = taken.findIndex((end) => end < left);
    paintBracket(view, left, right, isTaken(decision.reason));
    if (row < 0) continue;
    taken[row] = left + pen.measureText(label).width + 10;
    pen.fillStyle = isTaken(decision.reason) ? view.color.ink : view.color.quiet;
    pen.fillText(label, Math.max(4, left), view.top - 14 - row * ROW);
  }
}

function isTaken(reason) {
  return reason === "answered" || reason === "stopped";
}

function paintBracket(view, left, right, strong) {
  const { pen } = view;
  const y = view.top - 7.5;
  pen.strokeStyle = strong ? view.color.query : view.color.noise;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(left, y);
  pen.lineTo(right, y);
  pen.stroke();
}

/** From the user's last sound to the first sound of the answer: a slant over the ribbon. */
export function paintLatencies(view) {
  const { pen } = view;
  pen.font = "600 12px system-ui, sans-serif";
  pen.textAlign = "left";
  let taken = -Infinity;
  for (const turn of view.history.latencies.within(view.start, view.end)) {
    const [left, right] = [view.x(turn.time), view.x(turn.end)];
    pen.strokeStyle = view.color.ink;
    pen.lineWidth = 1;
    pen.setLineDash([2, 3]);
    pen.beginPath();
    pen.moveTo(left, view.upper - 7);
    pen.lineTo(left, view.bottom - 8);
    pen.moveTo(right, view.lower + 7);
    pen.lineTo(right, view.bottom - 8);
    pen.stroke();
    pen.setLineDash([]);
    pen.fillStyle = view.color.ink;
    const label = inWords(turn.end - turn.time);
    const from = Math.max(NAME, left);
    if (from < taken) continue; // two labels in one place say nothing
    taken = from + pen.measureText(label).width + 8;
    pen.fillText(label, from, view.bottom + 4);
  }
}
