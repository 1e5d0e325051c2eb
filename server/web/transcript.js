/** What was said, turn by turn: the user's words, the assistant's, and those nobody heard. */

export class Transcript {
  #list;
  #follows = true; // nobody has scrolled back
  #turns = new Map(); // item id -> {words, note, text}

  /** @param {HTMLOListElement} list */
  constructor(list) {
    this.#list = list;
    list.addEventListener("scroll", () => (this.#follows = this.#isAtEnd()));
    new ResizeObserver(() => this.#follows && this.toEnd()).observe(list);
  }

  get isEmpty() {
    return this.#turns.size === 0;
  }

  /** @param {"user" | "assistant" | "remark"} who */
  #turn(item, who) {
    const known = this.#turns.get(item);
    if (known) return known;
    const row = document.createElement("li");
    row.className = `turn ${who}`;
    const speaker = element("span", "visually-hidden", who === "user" ? "You: " : "Antiphon: ");
    const words = element("p", "words");
    const note = element("span", "note");
    row.append(...(who === "remark" ? [] : [speaker]), words, note);
    this.#grow(() => this.#list.append(row));
    const turn = { row, words, note, text: "" };
    this.#turns.set(item, turn);
    return turn;
  }

  /** Changes the list and keeps its end in view, unless somebody has scrolled back. */
  #grow(change) {
    change();
    if (this.#follows) this.toEnd();
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < 80;
  }

  /** Shows the newest turn; the list scrolls and the page never does. */
  toEnd() {
    this.#follows = true;
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  /** Words of the user. `final`: the whole transcript, else a piece of it. */
  userSaid(item, text, final) {
    const turn = this.#turn(item, "user");
    turn.text = final ? text.trim() || turn.text : turn.text + text;
    const shown = final ? turn.text : wholeWords(turn.text);
    this.#grow(() => (turn.words.textContent = sentence(shown) || "…"));
  }

  assistantSaid(item, text, generator) {
    const turn = this.#turn(item, "assistant");
    turn.row.dataset.instance = generator;
    turn.text += text;
    this.#grow(() => (turn.words.textContent = turn.text));
  }

  /** The answer was cut: what the user did not hear is struck out. */
  heardOnly(item, heard) {
    const turn = this.#turns.get(item);
    if (!turn) return;
    const spoken = heard.trim();
    const rest = turn.text.startsWith(spoken) ? turn.text.slice(spoken.length) : "";
    turn.words.textContent = spoken;
    if (rest.trim()) turn.words.append(element("del", "unheard", rest));
    turn.row.classList.add("cut");
  }

  /** A short fact under an answer, such as its latency. */
  note(item, text) {
    const { note } = this.#turn(item, "assistant");
    this.#grow(() => {
      note.textContent = note.textContent ? `${note.textContent} · ${text}` : text;
    });
  }

  remark(text) {
    const turn = this.#turn(`remark-${this.#turns.size}`, "remark");
    this.#grow(() => (turn.words.textContent = text));
  }

  /** The whole conversation as text, one turn a line. */
  asText() {
    const rows = [...this.#list.children].map((row) => {
      const unheard = row.querySelector("del")?.textContent ?? "";
      const words = row.querySelector(".words").textContent;
      const heard = unheard ? words.slice(0, -unheard.length).trimEnd() + " [cut]" : words;
      return (row.querySelector(".visually-hidden")?.textContent ?? "") + heard;
    });
    return rows.join("\n");
  }
}

/** What stands before the last space: the end of a live transcript may be half a word. */
function wholeWords(text) {
  const end = text.trimEnd().lastIndexOf(" ");
  return end < 0 ? text : text.slice(0, end);
}

/** With a capital letter at its beginning. */
function sentence(text) {
  const bare = text.trim();
  return bare.charAt(0).toUpperCase() + bare.slice(1);
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
