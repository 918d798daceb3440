"""The smaller programs of `examples/`, with real servers, real clients and real files."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sqlite3
from pathlib import Path

import pytest

from examples import merged_events, pooled_fetch, resumed_download
from examples.http_exchange import serve_application
from examples.merged_events import Event, EventParser
from examples.pooled_fetch import FolderApplication
from examples.resumed_download import BreakingApplication, CannotResumeError
from tests.ends.web import nothing_left
from webstreams import SKIP, ReadableStream

PATIENCE = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.txt").write_text(f"grüße {number}\n" * number)
    return folder


# pooled_fetch


async def test_every_url_has_a_line_in_order(folder: Path, tmp_path: Path) -> None:
    urls, output = tmp_path / "urls", tmp_path / "reports"
    names = [path.name for path in sorted(folder.iterdir())]
    names.insert(3, "missing.txt")
    async with nothing_left(), serve_application(FolderApplication(folder)) as url:
        urls.write_text("".join(f"{url}{name}\n\n" for name in names))
        arguments = [str(urls), str(output), "--concurrency", "4"]
        assert await asyncio.wait_for(pooled_fetch.main(arguments), PATIENCE) == 1
    reports = [json.loads(line) for line in output.read_text().splitlines()]
    assert [report["url"] for report in reports] == [url + name for name in names]
    assert "404" in reports.pop(3)["error"]
    for report in reports:
        content = (folder / report["url"].rpartition("/")[2]).read_bytes()
        assert (report["size"], report["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


async def test_a_url_that_does_not_answer_stops_nobody(folder: Path, tmp_path: Path) -> None:
    gate = asyncio.Event()

    class Silent(FolderApplication):
        async def __call__(self, scope: object, receive: object, send: object) -> None:
            if scope["path"] == "/3.txt":  # type: ignore[index]
                await gate.wait()
            await super().__call__(scope, receive, send)

    async with nothing_left(), serve_application(Silent(folder)) as url:
        urls = ReadableStream.from_([f"{url}{number}.txt" for number in range(12)])
        output = tmp_path / "reports"
        counts = await asyncio.wait_for(pooled_fetch.run(urls, output, concurrency=4, timeout=2.0), PATIENCE)
        gate.set()
    assert counts == (12, 1)
    assert "TimeoutError" in json.loads(output.read_text().splitlines()[3])["error"]


# resumed_download


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(random.Random(1).randbytes(500_000))
    return path


async def test_a_download_over_connections_that_break(large: Path, tmp_path: Path) -> None:
    async with nothing_left():
        arguments = [str(large), str(tmp_path / "copy"), "--cut", "150000"]
        assert await asyncio.wait_for(resumed_download.main(arguments), PATIENCE) == 0
    assert (tmp_path / "copy").read_bytes() == large.read_bytes()


@pytest.mark.parametrize("trouble", ["changes", "weak tag", "gives nothing"])
async def test_a_download_that_cannot_be_resumed_leaves_no_file(large: Path, tmp_path: Path, trouble: str) -> None:
    application = BreakingApplication(large, 0 if trouble == "gives nothing" else 150_000)
    application.tag = 'W/"1"' if trouble == "weak tag" else '"1"'

    class Changing(BreakingApplication):
        async def __call__(self, scope: object, receive: object, send: object) -> None:
            self.tag = f'"{self.requests}"'
            await super().__call__(scope, receive, send)

    if trouble == "changes":
        application = Changing(large, 150_000)
    async with nothing_left(), serve_application(application) as url:
        with pytest.raises(ExceptionGroup) as raised:
            await asyncio.wait_for(resumed_download.run(url, tmp_path / "copy"), PATIENCE)
        assert isinstance(raised.value.exceptions[0], CannotResumeError)
    assert application.requests == {"changes": 2, "weak tag": 1, "gives nothing": 3}[trouble]
    assert not (tmp_path / "copy").exists()


# merged_events


async def test_all_events_are_stored_in_the_order_of_their_stream(folder: Path, tmp_path: Path) -> None:
    async with nothing_left():
        assert await asyncio.wait_for(merged_events.main([str(folder), str(tmp_path / "events")]), PATIENCE) == 0
    connection = sqlite3.connect(tmp_path / "events")
    for number in range(12):
        query = "SELECT type, id, data FROM events WHERE url LIKE ? ORDER BY rowid"
        rows = connection.execute(query, [f"%/{number}.txt"]).fetchall()
        assert rows == [("line", str(each + 1), f"grüße {number}") for each in range(number)]
    connection.close()


async def test_a_server_that_breaks_ends_all_streams(folder: Path, tmp_path: Path) -> None:
    async with nothing_left(), serve_application(merged_events.EventsApplication(folder, 0.001)) as url:
        urls = [f"{url}9.txt", f"{url}missing.txt"]
        with pytest.raises(Exception, match="500"):
            await asyncio.wait_for(merged_events.run(urls, tmp_path / "events"), PATIENCE)


def test_events_are_parsed_as_the_standard_says() -> None:
    text = (
        ": a comment\ndata: one\ndata:two\ndata\n\nevent: add\ndata:  spam\nid: 7\n\nid: 8\n\ndata: eggs\nfoo: bar\n\n"
    )
    parse = EventParser("u")
    assert [event for event in map(parse, text.splitlines()) if event is not SKIP] == [
        Event("u", "message", "", "one\ntwo\n"),
        Event("u", "add", "7", " spam"),
        Event("u", "message", "8", "eggs"),
    ]
