"""LiveKit's OpenAI Realtime quick-start with the address and the key changed, without a room."""

from report import BASE_URL, KEY

ADDRESS = BASE_URL

# docs: begin
from livekit.agents import Agent, AgentSession  # noqa: E402
from livekit.plugins import openai  # noqa: E402


def new_session() -> AgentSession:
    return AgentSession(llm=openai.realtime.RealtimeModel(base_url=ADDRESS, api_key=KEY))


def new_agent() -> Agent:
    return Agent(instructions="You are a helpful voice AI assistant.")


# docs: end
