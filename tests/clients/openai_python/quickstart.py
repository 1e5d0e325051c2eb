"""The README of openai-python with the address and the key changed."""

import asyncio

from openai import AsyncOpenAI, OpenAIError
from report import BASE_URL, KEY

ADDRESS = BASE_URL
said = ""


# docs: begin
async def main():
    client = AsyncOpenAI(base_url=ADDRESS, api_key=KEY)

    async with client.realtime.connect(model="gpt-realtime-2") as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})

        await connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Say hello!"}],
            }
        )
        await connection.response.create()

        async for event in connection:
            if event.type == "response.output_text.delta":
                print(event.delta, flush=True, end="")

            elif event.type == "response.output_text.done":
                print()

            elif event.type == "response.done":
                if event.response.status != "completed":
                    raise OpenAIError("The Realtime response did not complete")
                break
            elif event.type == "error":
                raise OpenAIError("Realtime returned an error; inspect the event")
        else:
            raise OpenAIError("Realtime disconnected before response.done")


# docs: end

if __name__ == "__main__":
    asyncio.run(main())
