/** The present in words and numbers: states, roles, the verdict, what was decided, how fast. */

const DECISIONS_SHOWN = 60;

const STATES = {
  "silent listening": "Listening",
  "speaking listening": "Hearing you",
  "paused listening": "Have you finished?",
  "silent preparing": "Preparing an answer",
  "speaking preparing": "Preparing, and hearing you",
  "paused preparing": "Preparing an answer",
  "silent speaking": "Speaking",
  "speaking speaking": "Speaking, and hearing you",
  "paused speaking": "Speaking",
};

export class Panel {
  #parts;
  #latencies = [];

  /** @param {Document} page holds the elements by their data-part names */
  constructor(page) {
    const parts = [...page.querySelectorAll("[data-part]")];
    this.#parts = Object.fromEntries(parts.map((part) => [part.dataset.part, part]));
  }

  /** @param {string} text what the page as a whole is doing  @param {string} tone for the dot */
  status(text, tone) {
    this.#show(text, tone, "polite");
  }

  #show(text, tone, live) {
    const line = this.#parts.status.parentElement;
    line.setAttribute("aria-live", live);
    line.dataset.tone = tone;
    this.#parts.status.textContent = text;
  }

  /** Changes several times a second: not read out, or nothing else would be heard. */
  state(user, assistant) {
    const ducked = assistant === "ducked";
    const text = ducked ? "Quieter: was that for me?" : STATES[`${user} ${assistant}`];
    this.#show(text ?? "Listening", assistant === "listening" ? user : assistant, "off");
  }

  roles({ generator, monitor }) {
    this.#role(generator, "generator", "speaks");
    this.#role(monitor, "monitor", "listens");
  }

  #role(name, role, does) {
    const card = this.#parts[`instance${name}`];
    card.dataset.role = role;
    card.querySelector(".role").textContent = role;
    card.querySelector(".does").textContent = does;
  }

  verdict(verdict) {
    for (const name of ["query", "unfinished", "noise", "text"]) {
      const score = verdict[name] ?? 0;
      const meter = this.#parts[name];
      meter.style.setProperty("--value", score);
      const percent = Math.round(score * 100);
      meter.setAttribute("aria-valuenow", percent);
      meter.nextElementSibling.textContent = `${percent} %`;
    }
    this.#parts.words.textContent = verdict.words ? `“${verdict.words}”` : "";
  }

  /** @param {number | null} time context seconds at which the sound began */
  decision(name, event, time) {
    const row = document.createElement("li");
    row.dataset.reason = event.reason;
    const when = document.createElement("time");
    when.textContent = time === null ? "" : clock(time);
    const what = document.createElement("span");
    what.textContent = name;
    const why = document.createElement("small");
    why.textContent = scores(event.verdict);
    row.append(when, what, why);
    this.#parts.decisions.prepend(row);
    this.#parts.decisions.children[DECISIONS_SHOWN]?.remove();
  }

  /** Where the time went before the first sound, from engines that know it. */
  stages(event) {
    const words = STAGES.map(([field, name]) => `${name} ${Math.round(event[field])} ms`);
    this.#parts.stages.textContent = words.join(" · ");
  }

  latency(seconds) {
    this.#latencies.push(seconds * 1000);
    const sorted = [...this.#latencies].sort((one, other) => one - other);
    this.#parts.latency.textContent = Math.round(seconds * 1000);
    this.#parts.median.textContent = Math.round(sorted[Math.floor((sorted.length - 1) / 2)]);
    this.#parts.turns.textContent = sorted.length;
  }
}

const STAGES = [
  ["transcript_ms", "your words"],
  ["first_token_ms", "first token"],
  ["first_clause_ms", "first clause"],
  ["first_sound_ms", "first sound"],
];
const SCORES = { query: "a question", unfinished: "unfinished", noise: "not for it", text: "typed" };

function scores(verdict) {
  if (!verdict) return "no verdict";
  const names = Object.keys(SCORES).filter((name) => verdict[name] >= 0.005);
  return names.map((name) => `${SCORES[name]} ${Math.round(verdict[name] * 100)} %`).join(" · ");
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
