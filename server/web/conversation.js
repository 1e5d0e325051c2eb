/** Listens to one session and tells the rest of the page what it means. */

import { inWords, nameOf } from "./annotations.js";
import { toSamples } from "./session.js";

const RATE = 24000;
const VERDICT_STEP = 0.16; // seconds of sound between two verdicts

export class Conversation {
  #answers = new Map(); // response id -> Answer
  #playing = new Map(); // item id -> response id, until it was heard to the end or dropped
  #typedAt = null;
  #isSlow = false;

  /** @param parts {session, speaker, history, timebase, transcript, panel, now, outputLatency} */
  constructor(parts) {
    Object.assign(this, parts);
    this.#listenToUser();
    this.#listenToAnswers();
    this.#listenToDuplex();
    this.speaker
      .on("audible", ({ item, time }) => this.#heardFirst(item, time))
      .on("played", ({ item, played }) => this.#acknowledge(item, played))
      .on("finished", ({ item }) => this.#finish(item))
      .on("slow", () => this.#tellSlow())
      .on("peaks", ({ peaks, time }) => this.history.assistant.add(peaks, time));
  }

  /** Said once: the sound itself is mended by a larger cushion. */
  #tellSlow() {
    if (this.#isSlow) return;
    this.#isSlow = true;
    this.transcript.remark("The sound comes late: the server, this machine or the network is slow.");
  }

  /** Text instead of voice. It interrupts, too. */
  type(text) {
    this.#silence();
    this.session.send("response.cancel");
    this.#typedAt = this.now();
    this.session.say(text);
  }

  // ------------------------------------------------------------------------------- the user

  #listenToUser() {
    const { session, transcript } = this;
    const words = "conversation.item.input_audio_transcription";
    session
      .on("input_audio_buffer.speech_started", () => this.#silence())
      .on("conversation.item.added", ({ item }) => this.#addItem(item))
      .on(`${words}.delta`, ({ item_id, delta }) => transcript.userSaid(item_id, delta, false))
      .on(`${words}.completed`, (event) =>
        transcript.userSaid(event.item_id, event.transcript, true))
      .on("conversation.item.retrieved", ({ item }) => this.#showHeard(item))
      .on("error", ({ error }) => this.#tellError(error));
  }

  #addItem(item) {
    if (item.type !== "message" || item.role !== "user") return;
    const text = item.content.map((part) => part.text ?? part.transcript ?? "").join(" ");
    const isPicture = item.content.every((part) => part.type === "input_image");
    if (!isPicture) this.transcript.userSaid(item.id, text, true);
  }

  #tellError(error) {
    if (error.code === "response_cancel_not_active") return; // typing cancels in any case
    this.transcript.remark(`The server says: ${error.message}`);
  }

  // ---------------------------------------------------------------------------- the answers

  #listenToAnswers() {
    this.session
      .on("response.created", ({ response }) => this.#begin(response.id))
      .on("response.output_audio.delta", (event) => this.#play(event))
      .on("response.output_audio.done", ({ item_id }) => this.speaker.end(item_id))
      .on("response.output_audio_transcript.delta", (event) => this.#write(event))
      .on("response.output_text.delta", (event) => this.#write(event))
      .on("response.done", ({ response }) => this.#end(response))
      .on("resumed", () => this.#goOn());
  }

  /** What is known of one answer; its parts arrive in no fixed order. */
  #answer(id) {
    const known = this.#answers.get(id);
    if (known) return known;
    const { generator } = this.history.rolesAt(this.now());
    const answer = { id, generator, item: null, asked: null, audible: null, mark: null };
    answer.isPast = false; // of a connection that was lost
    this.#answers.set(id, answer);
    return answer;
  }

  #begin(id) {
    const answer = this.#answer(id);
    answer.asked ??= this.#typedAt;
    this.#typedAt = null;
  }

  #play({ response_id, item_id, delta }) {
    const answer = this.#answer(response_id);
    if (answer.mark?.end) return; // it was cut; whatever comes late is not for the ear
    answer.item = item_id;
    this.#playing.set(item_id, response_id);
    this.speaker.play(item_id, toSamples(delta));
  }

  #write({ response_id, item_id, delta }) {
    const answer = this.#answer(response_id);
    answer.item = item_id;
    this.transcript.assistantSaid(item_id, delta, answer.generator);
  }

  /** No more sound of the answers from before the connection was lost will come. */
  #goOn() {
    for (const [item, id] of this.#playing) {
      this.speaker.end(item);
      this.#answer(id).isPast = true;
    }
    this.transcript.remark("The connection was lost for a moment; the conversation goes on.");
  }

  #end(response) {
    const answer = this.#answer(response.id);
    if (response.status === "failed") {
      const reason = response.status_details?.error?.message ?? "no reason was given";
      this.transcript.remark(`The answer failed: ${reason}`);
    }
    if (response.status !== "cancelled" || !answer.item) return;
    if (this.#playing.has(answer.item)) this.#silence();
    this.session.send("conversation.item.retrieve", { item_id: answer.item });
  }

  /** The server keeps of a cut answer what was heard; show the same. */
  #showHeard(item) {
    if (item.role !== "assistant") return;
    this.transcript.heardOnly(item.id, item.content.map((part) => part.transcript ?? "").join(""));
  }

  #silence() {
    if (this.#playing.size === 0) return;
    this.speaker.drop(this.#playing.keys());
    for (const id of this.#playing.values()) this.#close(id);
  }

  #heardFirst(item, time) {
    const answer = this.#answers.get(this.#playing.get(item));
    if (!answer) return;
    answer.audible = time;
    answer.mark = this.history.answers.keep({ time, generator: answer.generator });
    this.#measure(answer);
  }

  #acknowledge(item, played) {
    const response_id = this.#playing.get(item);
    const audio_ms = Math.floor((played * 1000) / RATE);
    const answer = this.#answers.get(response_id);
    if (response_id && !answer?.isPast) {
      this.session.send("antiphon.playback", { response_id, audio_ms });
    }
    if (answer?.mark?.end) this.#playing.delete(item);
  }

  #finish(item) {
    this.#close(this.#playing.get(item));
    this.#playing.delete(item);
  }

  #close(id) {
    const answer = this.#answers.get(id);
    if (!answer) return;
    answer.mark ??= { time: this.now() };
    answer.mark.end ??= this.now();
  }

  /** Latency: from the last voiced sample of the user to the first audible one of the answer. */
  #measure(answer) {
    if (answer.asked === null || answer.audible === null || answer.measured) return;
    answer.measured = true;
    const seconds = answer.audible - answer.asked + this.outputLatency();
    if (seconds < 0) return;
    this.history.latencies.keep({ time: answer.asked, end: answer.asked + seconds });
    this.panel.latency(seconds);
    if (answer.item) this.transcript.note(answer.item, inWords(seconds));
  }

  // ----------------------------------------------------------------- what only Antiphon tells

  #listenToDuplex() {
    this.session
      .on("antiphon.swap", ({ response_id }) => this.#swap(response_id))
      .on("antiphon.state", ({ user, assistant }) => this.#state(user, assistant))
      .on("antiphon.verdict", (event) => this.#verdict(event))
      .on("antiphon.times", (event) => this.panel.stages(event))
      .on("antiphon.decision", (event) => this.#decide(event));
  }

  #swap(response_id) {
    const time = this.now();
    const before = this.history.rolesAt(time);
    const roles = { generator: before.monitor, monitor: before.generator };
    this.history.swaps.keep({ time, ...roles });
    this.#answer(response_id).generator = roles.generator;
    this.panel.roles(roles);
  }

  #state(user, assistant) {
    const duck = this.history.ducks.at(-1);
    const isOpen = duck && duck.end === undefined;
    if (assistant === "ducked" && !isOpen) this.history.ducks.keep({ time: this.now() });
    if (assistant !== "ducked" && isOpen) duck.end = this.now();
    this.panel.state(user, assistant);
  }

  #verdict(event) {
    const { segment, audio_end_ms, verdict } = event;
    const end = this.timebase.timeOf(audio_end_ms / 1000);
    const last = this.history.verdicts.at(-1);
    if (end !== null) {
      const time = Math.max(end - VERDICT_STEP, last?.segment === segment ? last.end : 0);
      this.history.verdicts.keep({ ...verdict, segment, time, end });
    }
    this.panel.verdict(verdict);
  }

  #decide(event) {
    const time = this.timebase.timeOf(event.audio_start_ms / 1000);
    const end = this.timebase.timeOf(event.audio_end_ms / 1000);
    const over = time !== null && this.history.answers.within(time, time).length > 0;
    if (time !== null) this.history.decisions.keep({ time, end, reason: event.reason, over });
    this.panel.decision(nameOf(event.reason, over), event, time);
    if (!event.response_id) return;
    const answer = this.#answer(event.response_id);
    answer.asked = end;
    this.#measure(answer);
  }
}
