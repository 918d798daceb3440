"""Fetches many URLs at a time, and writes a line of JSON about each.

    python -m examples.pooled_fetch [--concurrency 16] [--timeout 10] [URLS] OUTPUT

URLS is a file with a URL in each line; without it, a real server is started that serves the source files of this
package, and those are fetched. However many URLs there are, no more than 16 requests run at a time, and no more than a
few answers wait for the disk; the lines are in the order of the URLs. An answer that fails or takes too long is a line,
too, and stops nobody else.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

import webstreams
from webstreams import (
    ReadableStream,
    TextDecoderStream,
    TextEncoderStream,
    from_response,
    read_file,
    send_response,
    write_file,
)

from .http_exchange import serve_application

Report = dict[str, Any]


async def fetch(client: httpx.AsyncClient, url: str) -> Report:
    """Fetch a URL and describe what came; nothing of it is kept but the sum."""
    digest, size = hashlib.sha256(), 0
    async with client.stream("GET", url) as response:
        response.raise_for_status()
        async for chunk in from_response(response):
            digest.update(chunk)
            size += len(chunk)
        return {"url": url, "status": response.status_code, "size": size, "sha256": digest.hexdigest()}


def failed(error: Exception, url: str) -> Report:
    """Describe what failed."""
    return {"url": url, "error": f"{type(error).__name__}: {error}"}


def urls_in(path: Path) -> ReadableStream[str]:
    """Read the lines of a file that are not empty."""
    return read_file(path).pipe_through(TextDecoderStream()).lines().map(str.strip).filter(bool)


async def run(urls: ReadableStream[str], output: Path, concurrency: int, timeout: float) -> tuple[int, int]:
    """Fetch all and write the reports; return how many there were, and how many failed."""
    counts = [0, 0]

    def count(report: Report) -> None:
        counts[0] += 1
        counts[1] += "error" in report

    async with httpx.AsyncClient(trust_env=False) as client:
        reports = urls.map(partial(fetch, client), concurrency=concurrency, timeout=timeout, on_error=failed)
        lines = reports.tap(count).map(lambda report: json.dumps(report) + "\n")
        await lines.pipe_through(TextEncoderStream()).pipe_to(write_file(output))
    return counts[0], counts[1]


# A server, for those who have no URLs.


class FolderApplication:
    """An ASGI application that serves the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send a file."""
        path = self.folder / scope["path"].lstrip("/")
        if path.is_file():
            await send_response(scope, receive, send, read_file(path))
        else:
            await send_response(scope, receive, send, ReadableStream.from_([b"there is no such file\n"]), status=404)


@asynccontextmanager
async def served_package() -> AsyncIterator[ReadableStream[str]]:
    """Serve the source files of the package in the block; gives their URLs."""
    folder = Path(webstreams.__file__).parent
    async with serve_application(FolderApplication(folder)) as url:
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))
        yield ReadableStream.from_(names).map(lambda name: url + name)


async def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; the exit status is 1 if a URL failed."""
    parser = argparse.ArgumentParser(prog="pooled_fetch", description=__doc__.partition("\n")[0])
    parser.add_argument("urls", type=Path, nargs="?", help="a file with a URL in each line")
    parser.add_argument("output", type=Path, help="where the lines of JSON go")
    parser.add_argument("--concurrency", type=int, default=16, help="requests at a time")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds for a request")
    options = parser.parse_args(arguments)
    if options.urls is None:
        async with served_package() as urls:
            count, failures = await run(urls, options.output, options.concurrency, options.timeout)
    else:
        count, failures = await run(urls_in(options.urls), options.output, options.concurrency, options.timeout)
    print(f"{count} URLs, {failures} of them failed: {options.output}")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
