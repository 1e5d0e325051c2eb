/** What developers want beside the conversation: its settings, its events, and code to begin with. */

import { snippet } from "./snippet.js";

const EVENTS_SHOWN = 300;
const LONGEST = 400; // letters of one event
const STORED = "antiphon-session";
const EXAMPLE = [
  {
    type: "function",
    name: "get_time",
    description: "Tells the current time.",
    parameters: { type: "object", properties: {} },
  },
];

export class Drawer {
  #find;
  #session;
  #wanted = {}; // what the fields asked when they were applied
  #language = "python";

  /**
   * @param {Document} page
   * @param {() => import("./session.js").Session | undefined} session the running one
   * @param {() => string} conversation as text
   */
  constructor(page, session, conversation) {
    this.#find = (id) => page.getElementById(id);
    this.#session = session;
    this.#restore();
    const dialog = this.#find("drawer");
    this.#on("open-drawer", () => this.#open(dialog));
    this.#on("close-drawer", () => dialog.close());
    this.#on("example", () => {
      this.#find("functions").value = JSON.stringify(EXAMPLE, null, 1);
    });
    this.#on("clear-log", () => this.#find("log").replaceChildren());
    this.#on("copy-code", () => this.#copy(this.#find("code").textContent));
    this.#on("copy-conversation", () => this.#copy(conversation()));
    this.#find("session-form").addEventListener("submit", (event) => this.#apply(event));
    this.#find("detection").addEventListener("change", () => this.#showEagerness());
    for (const button of page.querySelectorAll("[data-language]")) {
      button.addEventListener("click", () => this.#choose(page, button));
    }
  }

  #on(id, react) {
    this.#find(id).addEventListener("click", react);
  }

  #open(dialog) {
    this.#showCode();
    dialog.showModal();
    this.#find("log").scrollTop = this.#find("log").scrollHeight;
  }

  // ----------------------------------------------------------------------------- the session

  /** What is asked of a session: what was applied, and not what is only being written. */
  settings() {
    return this.#wanted;
  }

  /**
   * What the fields ask. Nothing is asked where nothing was changed.
   * @throws {SyntaxError} where the functions are no JSON list
   */
  #written() {
    const wanted = {};
    const instructions = this.#find("instructions").value.trim();
    const tools = this.#find("functions").value.trim();
    const type = this.#find("detection").value;
    const eagerness = this.#find("eagerness").value;
    if (instructions) wanted.instructions = instructions;
    if (tools) wanted.tools = JSON.parse(tools);
    if (tools && !Array.isArray(wanted.tools)) throw new SyntaxError("a list in [ ] is wanted");
    if (type !== "semantic_vad" || eagerness !== "auto") {
      const detection = type === "semantic_vad" ? { type, eagerness } : { type };
      wanted.audio = { input: { turn_detection: detection } };
    }
    return wanted;
  }

  /** What is asked, as a change of a running session: it also takes back what was set before. */
  #change() {
    const type = this.#find("detection").value;
    const eagerness = this.#find("eagerness").value;
    const detection = type === "semantic_vad" ? { type, eagerness } : { type };
    const cleared = { instructions: "", tools: [] };
    return { ...cleared, ...this.#wanted, audio: { input: { turn_detection: detection } } };
  }

  #apply(event) {
    event.preventDefault();
    try {
      this.#wanted = this.#written();
    } catch (error) {
      this.#say("applied", `The functions are no JSON list: ${error.message}`, true);
      return;
    }
    sessionStorage.setItem(STORED, JSON.stringify(this.#fields()));
    const session = this.#session();
    session?.configure(this.#change());
    this.#say("applied", session ? "Sent." : "Will be used from the next conversation on.");
    this.#showCode();
  }

  #fields() {
    const names = ["instructions", "detection", "eagerness", "functions"];
    return Object.fromEntries(names.map((name) => [name, this.#find(name).value]));
  }

  #restore() {
    const stored = JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
    for (const [name, value] of Object.entries(stored)) this.#find(name).value = value;
    this.#wanted = this.#written(); // only what could be read was stored
    this.#showEagerness();
  }

  #showEagerness() {
    this.#find("eagerness").disabled = this.#find("detection").value !== "semantic_vad";
  }

  #say(id, text, failed = false) {
    const output = this.#find(id);
    output.textContent = text;
    output.toggleAttribute("data-failed", failed);
  }

  // ------------------------------------------------------------------------------ the events

  /** Logs what a session sends and is sent, without the sound. */
  follow(session) {
    session.on("wire", (event) => this.#log("server", event));
    session.on("sent", (event) => this.#log("page", event));
    session.on("error", ({ error }) => {
      if (error.param?.startsWith("session")) this.#say("applied", error.message, true);
    });
    session.on("session.updated", () => this.#say("applied", "The server has taken it."));
  }

  #log(from, event) {
    if (event.type === "input_audio_buffer.append") return;
    if (event.type === "response.output_audio.delta") return;
    if (event.type === "antiphon.playback") return;
    const log = this.#find("log");
    const row = document.createElement("li");
    row.dataset.from = from;
    row.textContent = `${from === "page" ? "→" : "←"} ${JSON.stringify(event)}`.slice(0, LONGEST);
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(row);
    if (log.children.length > EVENTS_SHOWN) log.firstElementChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  // -------------------------------------------------------------------------------- the code

  #choose(page, chosen) {
    this.#language = chosen.dataset.language;
    for (const button of page.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button === chosen));
    }
    this.#showCode();
  }

  #showCode() {
    const address = new URL("v1", document.baseURI).href;
    this.#find("code").textContent = snippet(this.#language, address, this.#wanted);
  }

  async #copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      this.#say("copied", "Copied.");
    } catch {
      this.#say("copied", "This browser does not let the page copy.", true);
    }
  }
}
