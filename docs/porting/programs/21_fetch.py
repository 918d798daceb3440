"""The body of a request, changed on its way into the response."""

import asyncio

import httpx
from webstreams import (
    ReadableStream,
    TextDecoderStream,
    TextEncoderStream,
    asgi_request_body,
    from_response,
    send_response,
    to_request_body,
)


async def handler(scope, receive, send):
    text = asgi_request_body(receive).pipe_through(TextDecoderStream()).map(str.upper)
    await send_response(scope, receive, send, text.pipe_through(TextEncoderStream()), status=201)


async def main():
    body = ReadableStream.from_(["slow ", "and ", "steady"]).pipe_through(TextEncoderStream())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(handler)) as client:
        async with client.stream("POST", "http://example.org", content=to_request_body(body)) as response:
            print(response.status_code, await from_response(response).text())


asyncio.run(main())
