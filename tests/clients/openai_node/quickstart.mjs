/** openai-node over wss: OpenAIRealtimeWS with the address and the key changed. */

import { KEY, TLS_BASE_URL as ADDRESS } from "./report.mjs";

// docs: begin
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

export function main(done) {
  const client = new OpenAI({ baseURL: ADDRESS, apiKey: KEY });
  const rt = new OpenAIRealtimeWS({ model: "gpt-realtime-2" }, client);

  rt.socket.on("open", () => {
    rt.send({
      type: "session.update",
      session: { type: "realtime", output_modalities: ["text"] },
    });
    rt.send({
      type: "conversation.item.create",
      item: {
        type: "message",
        role: "user",
        content: [{ type: "input_text", text: "Say hello!" }],
      },
    });
    rt.send({ type: "response.create" });
  });

  rt.on("error", (error) => done(error));
  rt.on("response.output_text.delta", (event) => process.stderr.write(event.delta));
  rt.on("response.done", () => rt.close());
  rt.socket.on("close", () => done());
}
// docs: end
