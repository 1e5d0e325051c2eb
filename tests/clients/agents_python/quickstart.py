"""The README of the Agents SDK for Python with the address and the key changed."""

import asyncio

from report import KEY, WEBSOCKET_URL

ADDRESS = WEBSOCKET_URL

# docs: begin
from agents.realtime import RealtimeAgent, RealtimeRunner  # noqa: E402


async def main() -> None:
    agent = RealtimeAgent(
        name="Assistant", instructions="You are a helpful voice assistant. Keep responses short."
    )
    runner = RealtimeRunner(starting_agent=agent)
    session = await runner.run(model_config={"url": ADDRESS, "api_key": KEY})

    async with session:
        await session.send_message("Say hello in one short sentence.")
        async for event in session:
            if event.type == "audio":
                # Forward or play event.audio.data.
                pass
            elif event.type == "history_added":
                print(event.item)
            elif event.type == "agent_end":
                break


# docs: end

if __name__ == "__main__":
    asyncio.run(main())
