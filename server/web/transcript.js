/** What was said, turn by turn: the user's words, the assistant's, and those nobody heard. */

export class Transcript {
  #list;
  #turns = new Map(); // item id -> {words, note, text}

  /** @param {HTMLOListElement} list */
  constructor(list) {
    this.#list = list;
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
    const follow = this.#atEnd();
    this.#list.append(row);
    if (follow) row.scrollIntoView({ block: "nearest" });
    const turn = { row, words, note, text: "" };
    this.#turns.set(item, turn);
    return turn;
  }

  #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < 80;
  }

  /** Words of the user. `final`: the whole transcript, else a piece of it. */
  userSaid(item, text, final) {
    const turn = this.#turn(item, "user");
    turn.text = final ? text.trim() || turn.text : turn.text + text;
    turn.words.textContent = turn.text || "…";
    this.#follow(turn);
  }

  assistantSaid(item, text, generator) {
    const turn = this.#turn(item, "assistant");
    turn.row.dataset.instance = generator;
    turn.text += text;
    turn.words.textContent = turn.text;
    this.#follow(turn);
  }

  #follow(turn) {
    if (this.#atEnd()) turn.row.scrollIntoView({ block: "nearest" });
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
    note.textContent = note.textContent ? `${note.textContent} · ${text}` : text;
  }

  remark(text) {
    const turn = this.#turn(`remark-${this.#turns.size}`, "remark");
    turn.words.textContent = text;
  }
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
