"""The message flow of Twilio's sample for media streams with the address and the key changed."""

import asyncio
import base64
import json

import websockets
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from report import KEY, WEBSOCKET_URL

ADDRESS = WEBSOCKET_URL
app = FastAPI()
told = []  # the types of the server's events, for the test

# docs: begin
SESSION = {
    "type": "realtime",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "audio": {
        "input": {"format": {"type": "audio/pcmu"}, "turn_detection": {"type": "server_vad"}},
        "output": {"format": {"type": "audio/pcmu"}, "voice": "alloy"},
    },
    "instructions": "You are a helpful and bubbly AI assistant.",
}


@app.websocket("/media-stream")
async def media_stream(twilio: WebSocket) -> None:
    await twilio.accept()
    headers = {"Authorization": f"Bearer {KEY}"}
    async with websockets.connect(
        f"{ADDRESS}?model=gpt-realtime&temperature=0.8", additional_headers=headers
    ) as server:
        await server.send(json.dumps({"type": "session.update", "session": SESSION}))
        call = {"sid": None, "latest": 0, "began": None, "item": None}
        to_server = asyncio.create_task(from_twilio(twilio, server, call))
        to_twilio = asyncio.create_task(from_server(twilio, server, call))
        await asyncio.wait({to_server, to_twilio}, return_when=asyncio.FIRST_COMPLETED)
        to_server.cancel()
        to_twilio.cancel()


async def from_twilio(twilio, server, call) -> None:
    try:
        async for text in twilio.iter_text():
            data = json.loads(text)
            if data["event"] == "start":
                call["sid"] = data["start"]["streamSid"]
            elif data["event"] == "media":
                call["latest"] = int(data["media"]["timestamp"])
                append = {"type": "input_audio_buffer.append", "audio": data["media"]["payload"]}
                await server.send(json.dumps(append))
    except WebSocketDisconnect:
        pass


async def from_server(twilio, server, call) -> None:
    async for text in server:
        event = json.loads(text)
        told.append(event)
        if event["type"] == "response.output_audio.delta":
            payload = base64.b64encode(base64.b64decode(event["delta"])).decode()
            sid = call["sid"]
            await twilio.send_json(
                {"event": "media", "streamSid": sid, "media": {"payload": payload}}
            )
            if event["item_id"] != call["item"]:
                call["item"], call["began"] = event["item_id"], call["latest"]
            mark = {"name": "responsePart"}
            await twilio.send_json({"event": "mark", "streamSid": sid, "mark": mark})
        elif event["type"] == "input_audio_buffer.speech_started" and call["item"]:
            truncate = {
                "type": "conversation.item.truncate",
                "item_id": call["item"],
                "content_index": 0,
                "audio_end_ms": call["latest"] - call["began"],
            }
            await server.send(json.dumps(truncate))
            await twilio.send_json({"event": "clear", "streamSid": call["sid"]})
            call["item"] = call["began"] = None


# docs: end
