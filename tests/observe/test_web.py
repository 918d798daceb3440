"""The page of a pipeline, as an ASGI application; tests/observe/browser has it in a real browser."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from webstreams import ReadableStream, TransformStream, to_callable
from webstreams.observe import observe, web


class Client:
    """Stands for a server with one client."""

    def __init__(self, path: str) -> None:
        self.scope = {"type": "http", "method": "GET", "path": path}
        self.left = asyncio.Event()
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.came = asyncio.Event()

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.body += message.get("body", b"")
            self.came.set()

    def states(self) -> list[Any]:
        return [json.loads(line) for line in re.findall(r"^data: (\{\".*)$", self.body.decode(), re.MULTILINE)]


async def test_the_page_is_one_file_with_the_first_state_in_it() -> None:
    stream = ReadableStream.from_(range(3)).pipe_through(TransformStream())
    application = web.app(observe(stream, name="</script>"))
    client = Client("/")
    await application(client.scope, client.receive, client.send)
    text = client.body.decode()
    assert (client.status, client.headers[b"content-type"]) == (200, b"text/html; charset=utf-8")
    found = re.search(r'<script id="state"[^>]*>(.*)</script>', text)
    assert found
    state = json.loads(found[1])
    assert state["name"] == "</script>"
    assert [(each["name"], each["column"], each["from"]) for each in state["stages"]] == [
        ("source", 0, []),
        ("transform", 1, ["source"]),
    ]
    # Nothing is loaded from anywhere.
    assert set(re.findall(r"https?://[\w./]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(?:link|img|iframe)|@import|src=", text)


async def test_events_until_the_end() -> None:
    left, right = ReadableStream.from_(range(20)).tee()
    slow = right.pipe_to(to_callable(lambda number: asyncio.sleep(0.01)))
    application = web.app(observe(left, name="numbers"), interval=0.03, total=20)
    client = Client("/pipelines/events")
    answering = asyncio.ensure_future(application(client.scope, client.receive, client.send))
    await asyncio.gather(left.pipe_to(to_callable(str)), slow)
    await answering
    states = client.states()
    assert client.headers[b"content-type"] == b"text/event-stream"
    assert len(states) > 2
    assert states[-1]["progress"].endswith("ended")
    assert "100 %" in states[-1]["progress"]
    assert client.body.endswith(b"event: end\ndata: {}\n\n")
    places = {each["name"]: (each["column"], each["row"]) for each in states[-1]["stages"]}
    assert places["branch 1"] == (1, 0)
    assert places["branch 2"] == (1, 1)


async def test_a_client_that_leaves_is_told_nothing_more() -> None:
    application = web.app(observe(ReadableStream()), interval=0.01)
    client = Client("/events")
    answering = asyncio.ensure_future(application(client.scope, client.receive, client.send))
    await client.came.wait()
    client.left.set()
    await asyncio.wait_for(answering, 30)


async def test_other_paths_and_the_life_of_the_server() -> None:
    application = web.app(observe(ReadableStream()))
    client = Client("/favicon.ico")
    await application(client.scope, client.receive, client.send)
    assert client.status == 404
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await application({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
