"""Downloads a file over a connection that breaks, once, into a file, with its sum and a display of the progress.

    python -m examples.resumed_download [--cut BYTES] FILE OUTPUT

A real server sends FILE, and breaks every connection after BYTES. The client asks for the rest (`Range`, `If-Range`) as
long as it gets on, and what comes out of `from_producer` looks like one stream that never broke. `share` gives it to
three consumers: the file and the sum get every chunk, and the slower of the two governs; the display may miss some.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from webstreams import (
    ReadableStream,
    WritableStreamDefaultWriter,
    from_producer,
    from_response,
    read_file,
    share,
    write_file,
)

from .http_exchange import serve_application

# So many attempts in a row may bring nothing.
ATTEMPTS = 3


class CannotResumeError(Exception):
    """The rest of the file is not to be had."""


async def download(client: httpx.AsyncClient, url: str, writer: WritableStreamDefaultWriter[bytes]) -> None:
    """Write the file, with as many requests as it takes."""
    position, total, tag, failures = 0, -1, "", 0
    while position != total:
        headers = {"Accept-Encoding": "identity"}
        if position:
            headers |= {"Range": f"bytes={position}-", "If-Range": tag}
        before = position
        try:
            async with client.stream("GET", url, headers=headers) as response:
                total = check(response, position)
                tag = response.headers.get("ETag", "")
                async for chunk in from_response(response):
                    position += len(chunk)
                    await writer.write(chunk)
        except httpx.TransportError as error:
            failures = failures + 1 if position == before else 0
            if failures == ATTEMPTS or not is_strong(tag):
                raise CannotResumeError(f"broken at {position} of {total} bytes") from error


def check(response: httpx.Response, position: int) -> int:
    """Return the size of the whole file; raises CannotResumeError unless this is the rest of it from a position on."""
    response.raise_for_status()
    if not position:
        return int(response.headers["Content-Length"])
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if response.status_code != 206 or found is None or int(found[1]) != position:
        raise CannotResumeError("the file has changed, or the server cannot send a part of it")
    return int(found[2])


def is_strong(tag: str) -> bool:
    """Whether two answers with this ETag are the same byte for byte."""
    return tag.startswith('"')


async def run(url: str, output: Path) -> tuple[int, str, int]:
    """Download; return the size, the SHA-256, and how often the display was told."""
    digest, told = hashlib.sha256(), [0, 0]

    def show(chunk: bytes) -> None:
        told[0] += 1

    def count(chunk: bytes) -> None:
        digest.update(chunk)
        told[1] += len(chunk)

    async with httpx.AsyncClient(trust_env=False) as client:
        stream: ReadableStream[bytes] = from_producer(partial(download, client, url))
        shared = share(stream, high_water_mark=4)
        display = shared.subscribe(policy="drop-oldest").throttled(20, per=1.0)
        async with asyncio.TaskGroup() as group:
            for consumer in (
                shared.subscribe().pipe_to(write_file(output)),
                shared.subscribe().for_each(count),
                display.for_each(show),
            ):
                group.create_task(finish(consumer))
    return told[1], digest.hexdigest(), told[0]


async def finish(promise: Any) -> None:
    """Wait for a promise, as a task of a group."""
    await promise


# The server, whose connections break.


class BreakingApplication:
    """An ASGI application that serves one file, and no more than so many bytes of it over one connection."""

    def __init__(self, path: Path, cut: int, tag: str = '"1"') -> None:
        self.path = path
        self.cut = cut
        self.tag = tag
        self.requests = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the file, or the rest that is asked for; end in the middle."""
        self.requests += 1
        size, start = self.path.stat().st_size, 0
        asked = {name.decode(): value.decode() for name, value in scope["headers"]}
        if asked.get("if-range") == self.tag:
            start = int(asked["range"].removeprefix("bytes=").removesuffix("-"))
        headers = {"ETag": self.tag, "Content-Length": str(size - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 206 if start else 200, "headers": pairs})
        end = min(size, start + self.cut)
        async for chunk in read_file(self.path, start=start, end=end):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if end == size:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        # Else the server breaks the connection: less has been sent than was promised.


async def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; the exit status is 0 if the two files are the same."""
    parser = argparse.ArgumentParser(prog="resumed_download", description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--cut", type=int, default=1_000_000, help="bytes after which a connection breaks")
    options = parser.parse_args(arguments)
    application = BreakingApplication(options.file, options.cut)
    async with serve_application(application) as url:
        size, digest, told = await run(url, options.output)
    wanted = hashlib.sha256()
    await read_file(options.file).for_each(wanted.update)
    print(f"{size} bytes in {application.requests} requests, SHA-256 {digest}, shown {told} times")
    return int(digest != wanted.hexdigest())


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
