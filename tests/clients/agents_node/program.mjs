/** The Agents SDK for JavaScript in Node. */

import { features } from "./features.mjs";
import { main as quickstart } from "./quickstart.mjs";
import {
  BASE_URL, KEY, SCRIPTED_BASE_URL, check, feature, play, redSquare, sleep, speech,
} from "./report.mjs";

const address = (base) => `ws${base.slice("http".length)}/realtime`;
const given = {
  url: address(BASE_URL),
  scriptedUrl: address(SCRIPTED_BASE_URL),
  apiKey: KEY,
  redSquare: redSquare(),
  speech: async (name) => speech(name),
  play, sleep, check,
};

await feature("quick start", async () => {
  const session = await quickstart();
  await new Promise((done) => session.on("agent_end", done));
  session.close();
  return "ended with agent_end";
});
for (const [name, run] of Object.entries(features)) await feature(name, () => run(given));
process.exit(0);
