/** openai-node: each feature of the table over its own connection, all of them over TLS. */

import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { main as quickstart } from "./quickstart.mjs";
import {
  KEY, TLS_BASE_URL, check, feature, play, redSquare, sleep, speech, tell,
} from "./report.mjs";

const client = new OpenAI({ baseURL: TLS_BASE_URL, apiKey: KEY });
const HEARD = { input: { transcription: { model: "gpt-4o-mini-transcribe" } } };
const TOOL = {
  type: "function",
  name: "get_time",
  description: "Tells the current time.",
  parameters: { type: "object", properties: {} },
};

/** One connection; every event is kept. */
class Connection {
  events = [];
  #rt;
  #wake = () => {};

  static async open(session = {}) {
    const connection = new Connection();
    connection.#rt = new OpenAIRealtimeWS({ model: "gpt-realtime-2" }, client);
    connection.#rt.on("event", (event) => {
      connection.events.push(event);
      connection.#wake();
    });
    connection.#rt.on("error", (error) => {
      connection.failed = error;
      connection.#wake();
    });
    await connection.until("session.created");
    connection.send("session.update", { session: { type: "realtime", ...session } });
    await connection.until("session.updated");
    return connection;
  }

  send(type, fields = {}) {
    this.#rt.send({ type, ...fields });
  }

  async until(kind, since = 0) {
    for (let at = since; ; at += 1) {
      while (at >= this.events.length) {
        if (this.failed) throw this.failed;
        await new Promise((wake) => (this.#wake = wake));
      }
      if (this.events[at].type === kind) return this.events[at];
    }
  }

  async ask(content) {
    const since = this.events.length;
    this.send("conversation.item.create", { item: { type: "message", role: "user", content } });
    this.send("response.create");
    return this.until("response.done", since);
  }

  say(pcm) {
    return play(pcm, (frame) =>
      this.send("input_audio_buffer.append", { audio: frame.toString("base64") }),
    );
  }

  close() {
    this.#rt.close();
  }
}

async function within(session, work) {
  const connection = await Connection.open(session);
  try {
    return await work(connection);
  } finally {
    connection.close();
  }
}

const typed = (text) => [{ type: "input_text", text }];
const words = (done) =>
  done.response.output
    .flatMap((item) => item.content ?? [])
    .map((part) => part.text ?? part.transcript)
    .join(" ");

await feature("quick start", () =>
  new Promise((resolve, reject) =>
    quickstart((error) => (error ? reject(error) : resolve("an answer, then closed"))),
  ),
);

await feature("voice, transcript", () =>
  within({ audio: HEARD }, async (connection) => {
    const speaking = connection.say(speech("question_en_capital"));
    const done = await connection.until("response.done");
    await speaking;
    const kind = "conversation.item.input_audio_transcription.completed";
    const { transcript } = await connection.until(kind);
    check(transcript.toLowerCase().includes("capital"), transcript);
    await connection.until("response.output_audio.delta");
    check(words(done).toLowerCase().includes("paris"), words(done));
    return `'${transcript}': '${words(done)}'`;
  }),
);

await feature("interruption, history", () =>
  within({ audio: HEARD }, async (connection) => {
    connection.send("conversation.item.create", {
      item: { type: "message", role: "user", content: typed("tell me a story about the fox") },
    });
    connection.send("response.create");
    const { item_id } = await connection.until("response.output_audio.delta");
    await sleep(1500);
    const since = connection.events.length;
    const speaking = connection.say(speech("question_en_capital"));
    const cut = await connection.until("response.done", since);
    check(cut.response.status === "cancelled", cut.response.status);
    connection.send("conversation.item.truncate", { item_id, content_index: 0, audio_end_ms: 1500 });
    await connection.until("conversation.item.truncated", since);
    connection.send("conversation.item.retrieve", { item_id });
    const { item } = await connection.until("conversation.item.retrieved", since);
    const answer = await connection.until("response.done", connection.events.indexOf(cut) + 1);
    await speaking;
    const heard = item.content[0].transcript;
    check(heard && heard.length < words(cut).length, [heard, words(cut)]);
    check(words(answer).toLowerCase().includes("paris"), words(answer));
    return `kept '${heard}' of ${words(cut).length} letters`;
  }),
);

await feature("tool", () =>
  within({ output_modalities: ["text"], tools: [TOOL] }, async (connection) => {
    const done = await connection.ask(typed("what time is it"));
    const call = done.response.output[0];
    check(call.type === "function_call" && call.name === "get_time", call);
    const since = connection.events.length;
    connection.send("conversation.item.create", {
      item: { type: "function_call_output", call_id: call.call_id, output: '{"time": "ten past nine"}' },
    });
    connection.send("response.create");
    const answer = words(await connection.until("response.done", since));
    check(answer, "no answer to the output");
    return answer;
  }),
);

tell("handoff", "-", "not in this client");
tell("guardrail", "-", "not in this client");

const text = async () =>
  within({ output_modalities: ["text"] }, async (connection) => {
    const said = words(await connection.ask(typed("what is the capital of france")));
    check(said.toLowerCase().includes("paris"), said);
    return said;
  });
await feature("text", text);

await feature("image", () =>
  within({ output_modalities: ["text"] }, async (connection) => {
    const picture = { type: "input_image", image_url: redSquare() };
    const said = words(await connection.ask([picture, ...typed("what colour is it")]));
    check(said, "nothing was said");
    return said;
  }),
);

await feature("connects again", async () => {
  await within({}, async () => {});
  return text();
});
