/** The program that talks to the running server from code, with the session that is set here. */

/**
 * @param {"python" | "javascript"} language
 * @param {string} address of the API, such as http://HOST:8080/v1
 * @param {object} wanted the session's fields
 */
export function snippet(language, address, wanted) {
  const session = { type: "realtime", ...wanted, output_modalities: ["text"] };
  return language === "python" ? python(address, session) : javascript(address, session);
}

function python(address, session) {
  // Three quotes in the instructions would end the literal.
  const text = JSON.stringify(session).replaceAll("'''", "\\u0027\\u0027\\u0027");
  return `import asyncio
import json
from openai import AsyncOpenAI

SESSION = json.loads(r'''${text}''')

async def main():
    client = AsyncOpenAI(base_url="${address}", api_key="YOUR KEY, IF ANY")
    async with client.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(session=SESSION)
        content = [{"type": "input_text", "text": "What is the capital of France?"}]
        item = {"type": "message", "role": "user", "content": content}
        await connection.conversation.item.create(item=item)
        await connection.response.create()
        async for event in connection:
            if event.type == "response.output_text.delta":
                print(event.delta, end="", flush=True)
            elif event.type in ("response.done", "error"):
                break

asyncio.run(main())
`;
}

function javascript(address, session) {
  const socket = address.replace(/^http/, "ws");
  return `// npm install ws
import WebSocket from "ws";

const socket = new WebSocket("${socket}/realtime?model=gpt-realtime", {
  headers: { Authorization: "Bearer YOUR KEY, IF ANY" },
});
const send = (type, fields = {}) => socket.send(JSON.stringify({ type, ...fields }));
socket.on("open", () => {
  send("session.update", { session: ${JSON.stringify(session)} });
  const content = [{ type: "input_text", text: "What is the capital of France?" }];
  send("conversation.item.create", { item: { type: "message", role: "user", content } });
  send("response.create");
});
socket.on("message", (text) => {
  const event = JSON.parse(text);
  if (event.type === "response.output_text.delta") process.stdout.write(event.delta);
  if (event.type === "response.done" || event.type === "error") socket.close();
});
`;
}
