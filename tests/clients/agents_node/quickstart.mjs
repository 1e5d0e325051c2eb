/** The quick-start of the Agents SDK for JavaScript with the address and the key changed. */

import { BASE_URL, KEY } from "./report.mjs";

const ADDRESS = `ws${BASE_URL.slice("http".length)}/realtime`;

// docs: begin
import { RealtimeAgent, RealtimeSession } from "@openai/agents-realtime";

export async function main() {
  const agent = new RealtimeAgent({
    name: "Assistant",
    instructions: "You are a helpful assistant.",
  });
  const session = new RealtimeSession(agent, { transport: "websocket" });
  await session.connect({ url: ADDRESS, apiKey: KEY });
  session.sendMessage("Say hello in one short sentence.");
  return session;
}
// docs: end
