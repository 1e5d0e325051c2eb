"""pipecat's realtime example with the address and the key changed, between our own transports."""

from report import KEY, WEBSOCKET_URL

ADDRESS = WEBSOCKET_URL

# docs: begin
from pipecat.processors.aggregators.llm_context import LLMContext  # noqa: E402
from pipecat.processors.aggregators.llm_response_universal import (  # noqa: E402
    LLMContextAggregatorPair,
)
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService  # noqa: E402


def new_service() -> OpenAIRealtimeLLMService:
    return OpenAIRealtimeLLMService(api_key=KEY, base_url=ADDRESS)


def new_context() -> tuple[LLMContext, LLMContextAggregatorPair]:
    context = LLMContext([{"role": "developer", "content": "Say hello and introduce yourself."}])
    return context, LLMContextAggregatorPair(context)


# docs: end
