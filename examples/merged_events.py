"""Follows several streams of server-sent events at a time, and stores what comes in batches.

    python -m examples.merged_events [--every SECONDS] FOLDER DATABASE

A real server sends the lines of each file in FOLDER as events, as a log would grow. The client reads all of them at a
time (`merge`: fair, one event of each ahead at most), cuts the text into lines (`lines`), makes events of them, and
stores up to 500 in one transaction, or fewer after a tenth of a second (`batched`). SQLite works in a thread; while it
does, nothing more is read than fits into one batch.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from webstreams import (
    SKIP,
    ReadableStream,
    TextDecoderStream,
    WritableStreamDefaultWriter,
    from_producer,
    from_response,
    merge,
    read_file,
    send_response,
)
from webstreams.types import Skip

from .http_exchange import serve_application

LONGEST_LINE = 1024 * 1024


class Event(NamedTuple):
    """An event, and the URL that it came from."""

    url: str
    type: str
    id: str
    data: str


class EventParser:
    """Makes events of lines; a function for `map`. HTML Standard, 9.2.6."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._data: list[str] = []
        self._type = ""
        self._id = ""

    def __call__(self, line: str) -> Event | Skip:
        """Return the event that an empty line ends, if it has data; `SKIP` for other lines."""
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._type = value
        elif field == "id" and "\0" not in value:
            self._id = value
        return SKIP

    def _dispatch(self) -> Event | Skip:
        data, kind = self._data, self._type
        self._data, self._type = [], ""
        return Event(self._url, kind or "message", self._id, "\n".join(data)) if data else SKIP


async def follow(client: httpx.AsyncClient, url: str, writer: WritableStreamDefaultWriter[Event]) -> None:
    """Write the events of a URL; the connection is open exactly as long as somebody reads."""
    async with client.stream("GET", url, headers={"Accept": "text/event-stream"}) as response:
        response.raise_for_status()
        text = from_response(response).pipe_through(TextDecoderStream())
        async for event in text.lines(limit=LONGEST_LINE).map(EventParser(url)):
            await writer.write(event)


def events_of(client: httpx.AsyncClient, urls: Sequence[str]) -> ReadableStream[Event]:
    """Return the events of all URLs."""
    streams: list[ReadableStream[Event]] = [from_producer(partial(follow, client, url)) for url in urls]
    return merge(*streams)


class Store:
    """A table of events, which is used in one thread."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.execute("CREATE TABLE IF NOT EXISTS events (url TEXT, type TEXT, id TEXT, data TEXT)")
        self.batches = 0

    def add(self, events: list[Event]) -> int:
        """Store some in one transaction; return how many."""
        with self._connection:
            self._connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", events)
        self.batches += 1
        return len(events)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


async def run(urls: Sequence[str], database: Path) -> tuple[int, int]:
    """Store all events; return how many there were, and in how many batches."""
    with ThreadPoolExecutor(1) as thread:
        store = Store(database)
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=None) as client:
                batches = events_of(client, urls).batched(500, seconds=0.1)
                stored = batches.map(store.add, executor=thread)
                return await stored.reduce(lambda total, count: total + count, 0), store.batches
        finally:
            store.close()


# The server.


class EventsApplication:
    """An ASGI application that sends the lines of a file as events."""

    def __init__(self, folder: Path, every: float) -> None:
        self.folder = folder
        self.every = every

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the events of one file."""
        lines = read_file(self.folder / scope["path"].lstrip("/")).pipe_through(TextDecoderStream()).lines()
        events = self._encoded(lines)
        if self.every:
            events = events.throttled(1, per=self.every)
        await send_response(scope, receive, send, events, headers={"Content-Type": "text/event-stream"})

    def _encoded(self, lines: ReadableStream[str]) -> ReadableStream[bytes]:
        number = 0

        def encode(line: str) -> bytes:
            nonlocal number
            number += 1
            return f"id: {number}\nevent: line\ndata: {line}\n\n".encode()

        return lines.map(encode)


async def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="merged_events", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("database", type=Path)
    parser.add_argument("--every", type=float, default=0.0, metavar="SECONDS", help="time between two lines of a file")
    options = parser.parse_args(arguments)
    names = sorted(path.name for path in options.folder.iterdir() if path.is_file())
    async with serve_application(EventsApplication(options.folder, options.every)) as url:
        count, batches = await run([url + name for name in names], options.database)
    print(f"{count} events of {len(names)} streams in {batches} transactions")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
