/** The Agents SDK for JavaScript: each feature of the table in a session of its own; it runs in
 * Node and in a browser. `given`: url, scriptedUrl, apiKey, speech, play, sleep, check, redSquare.
 */

import { RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";

const getTime = tool({
  name: "get_time",
  description: "Tells the current time.",
  parameters: { type: "object", properties: {}, required: [], additionalProperties: false },
  strict: false,
  execute: async () => "ten past nine",
});

const words = (item) =>
  (item?.content ?? []).map((part) => part.transcript ?? part.text ?? "").join(" ").trim();

/** A session and all that it has told. */
class Talk {
  events = [];
  #wake = [];

  constructor(given, agent, options = {}) {
    this.given = given;
    const { url, ...others } = options;
    this.url = url ?? given.url;
    agent ??= new RealtimeAgent({ name: "Assistant", instructions: "You are helpful." });
    this.session = new RealtimeSession(agent, { transport: "websocket", ...others });
    for (const kind of [
      "audio", "audio_interrupted", "error", "agent_handoff", "agent_tool_end",
      "guardrail_tripped", "agent_end",
    ]) {
      this.session.on(kind, (...details) => this.#note(kind, details));
    }
    this.session.on("transport_event", (event) => this.#note(event.type, [event]));
  }

  #note(kind, details) {
    this.events.push({ kind, details });
    for (const wake of this.#wake.splice(0)) wake();
  }

  async open() {
    await this.session.connect({ url: this.url, apiKey: this.given.apiKey });
    return this;
  }

  get mark() {
    return this.events.length;
  }

  async until(kind, since = 0) {
    for (let at = since; ; at += 1) {
      while (at >= this.events.length) await new Promise((wake) => this.#wake.push(wake));
      const { kind: found, details } = this.events[at];
      if (found === "error") throw new Error(JSON.stringify(details));
      if (found === kind) return { at, details };
    }
  }

  /** The SDK writes its history right after the event that ends an answer. */
  async said(role, index = -1) {
    for (let tries = 0; tries < 100; tries += 1) {
      const items = this.session.history.filter((item) => item.role === role);
      const text = words(items.at(index));
      if (text) return text;
      await this.given.sleep(20);
    }
    throw new Error(`${role} said nothing: ${JSON.stringify(this.session.history)}`);
  }

  async ask(message) {
    const since = this.mark;
    this.session.sendMessage(message);
    await this.until("agent_end", since);
    return this.said("assistant");
  }

  say(pcm) {
    return this.given.play(pcm, (frame) =>
      this.session.sendAudio(frame.buffer.slice(frame.byteOffset, frame.byteOffset + frame.length)),
    );
  }
}

async function talking(given, work, agent, options) {
  const talk = new Talk(given, agent, options);
  try {
    return await work(await talk.open());
  } finally {
    talk.session.close();
  }
}

export const features = {
  "voice, transcript": (given) =>
    talking(given, async (talk) => {
      const speaking = talk.say(await given.speech("question_en_capital"));
      await talk.until("audio");
      await talk.until("agent_end");
      await speaking;
      const [heard, said] = [await talk.said("user"), await talk.said("assistant")];
      given.check(heard.toLowerCase().includes("capital"), heard);
      given.check(said.toLowerCase().includes("paris"), said);
      return `'${heard}': '${said}'`;
    }),

  "interruption, history": (given) =>
    talking(given, async (talk) => {
      talk.session.sendMessage("tell me a story about the fox");
      await talk.until("audio");
      await given.sleep(2000);
      const since = talk.mark;
      const speaking = talk.say(await given.speech("question_en_capital"));
      const { at } = await talk.until("audio_interrupted", since);
      const next = await talk.until("audio", at);
      await talk.until("agent_end", next.at);
      await speaking;
      await given.sleep(500);
      const [kept, answer] = [await talk.said("assistant", 0), await talk.said("assistant")];
      given.check(kept.length < 200, `the story was kept whole: ${kept}`);
      given.check(answer.toLowerCase().includes("paris"), answer);
      return `kept '${kept}'`;
    }),

  tool: (given) =>
    talking(
      given,
      async (talk) => {
        talk.session.sendMessage("what time is it");
        const { at } = await talk.until("agent_tool_end");
        await talk.until("agent_end", at);
        return talk.said("assistant");
      },
      new RealtimeAgent({ name: "Assistant", instructions: "Use your tools.", tools: [getTime] }),
    ),

  handoff: (given) => {
    const billing = new RealtimeAgent({ name: "billing", instructions: "You answer on bills." });
    const first = new RealtimeAgent({
      name: "First", instructions: "Hand over.", handoffs: [billing],
    });
    return talking(
      given,
      async (talk) => {
        talk.session.sendMessage("I have a question for billing");
        const { at, details } = await talk.until("agent_handoff");
        given.check(details[2].name === "billing", "handed to somebody else");
        await talk.until("agent_end", at);
        return talk.said("assistant");
      },
      first,
      { url: given.scriptedUrl },
    );
  },

  guardrail: (given) => {
    const rail = {
      name: "no foxes",
      execute: async ({ agentOutput }) => ({
        tripwireTriggered: agentOutput.includes("fox"), outputInfo: {},
      }),
    };
    return talking(
      given,
      async (talk) => {
        talk.session.sendMessage("tell me a story about the fox");
        const { at } = await talk.until("guardrail_tripped");
        await talk.until("response.done", at);
        await given.sleep(1000);
        given.check(!talk.events.some(({ kind }) => kind === "error"), "an error event");
        return "tripped, the answer ended, no error";
      },
      undefined,
      { outputGuardrails: [rail], outputGuardrailSettings: { debounceTextLength: 20 } },
    );
  },

  text: (given) =>
    talking(given, async (talk) => {
      const said = await talk.ask("what is the capital of france");
      given.check(said.toLowerCase().includes("paris"), said);
      return said;
    }),

  image: (given) =>
    talking(given, async (talk) => {
      talk.session.addImage(given.redSquare, { triggerResponse: false });
      return talk.ask("what colour is it");
    }),

  "connects again": async (given) => {
    await talking(given, async () => {});
    return talking(given, (talk) => talk.ask("what is two plus three"));
  },
};
