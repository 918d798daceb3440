"""The view of a terminal: any width and height, in a real pseudo-terminal; lines where there is none."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl

import pytest

from tests.grids import each_of, each_row
from webstreams import ReadableStream, to_callable
from webstreams.observe import StageStatistics, observe, terminal
from webstreams.observe._progress import Frame, Row
from webstreams.observe._table import cells, fitted, lines_of

SIZES = [(80, 24), (60, 8), (200, 50)]


def frame(count: int, slowest: int) -> Frame:
    """What is shown of so many stages."""
    stages = [
        StageStatistics(
            name=f"stage {number} 大きさ" * (1 + number % 2),
            kind="transform",
            chunks_in=number * 1000,
            chunks_out=number * 1000,
            size_in=0,
            size_out=123456 * number,
            queued=number,
            high_water_mark=16,
            desired_size=16 - number,
            busy=0.5,
            blocked=0.3,
            starved=0.2,
            waiting_since=None,
            state="readable",
        )
        for number in range(count)
    ]
    rows = [
        Row(stage=stage, chunks=1234.5, size=9.9e6, is_bottleneck=number == slowest)
        for number, stage in enumerate(stages)
    ]
    name = stages[slowest].name
    return Frame(name="import", elapsed=12.3, rows=rows, bottleneck=name, done=0.4, left=75.0, is_over=False)


@each_of(count=[1, 4, 40])
def test_a_table_fits_every_size(count: int) -> None:
    """And has the bottleneck, wherever that is, as soon as there is a line for it."""
    for slowest in {0, count // 2, count - 1}:
        shown = frame(count, slowest)
        for width in (*range(1, 130, 6), 300):
            for height in (1, 2, 3, 4, 5, 8, 24, 60):
                lines = lines_of(shown, width, height)
                texts = ["".join(piece for piece, _ in line) for line in lines]
                assert len(texts) <= height
                assert max(map(cells, texts)) <= width, texts
                if width > 60 and height >= 3:
                    assert sum(f"stage {slowest} " in text for text in texts) >= 2, (texts, height)
    assert lines_of(frame(1, 0), 0, 5) == []


def test_what_is_left_out_is_said() -> None:
    texts = ["".join(piece for piece, _ in line) for line in lines_of(frame(40, 39), 80, 8)]
    assert "1 min 15 s to go" in texts[0]
    assert any("more stages" in text for text in texts)
    assert sum("stage 39" in text for text in texts) == 2


def test_a_text_is_cut_by_its_cells() -> None:
    assert fitted("大きさ", 4) == "大… "
    assert fitted("spam", 6, is_right=True) == "  spam"


class Screen:
    """What a terminal shows of what was written to it, with the sequences that a table is rewritten by."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines = [""]
        self.row = 0
        self.column = 0

    def feed(self, text: str) -> None:
        for part in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", text):
            self._take(part)

    def _take(self, part: str) -> None:
        if part == "\r":
            self.column = 0
        elif part == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        elif not part.startswith("\x1b"):
            line = self.lines[self.row]
            self.lines[self.row] = line[: self.column].ljust(self.column) + part + line[self.column + len(part) :]
            self.column += len(part)
            assert cells(self.lines[self.row]) <= self.width, "a line is broken by the terminal"
        elif part.endswith("A"):
            self.row -= int(part[2:-1] or 1)
            assert self.row >= 0
        elif part == "\x1b[2K":
            self.lines[self.row] = ""
        else:
            assert part.endswith(("m", "h", "l")), part


@each_row(("width", "height"), SIZES)
def test_the_table_on_a_terminal(width: int, height: int) -> None:
    """It is rewritten in its place, never scrolls, and names the bottleneck."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(width), "LINES": str(height)}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.observe.shown"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as child:
        os.close(theirs)
        written = read_all(ours)
    assert child.returncode == 0, written
    screen = Screen(width)
    screen.feed(written)
    shown = [line for line in screen.lines if line.strip()]
    assert len(screen.lines) <= height
    assert sum("import" in line for line in shown) == 1
    assert written.count("import") > 3  # it was rewritten
    assert "100 %" in shown[0]
    assert shown[-1].startswith("held up by store")
    assert any(line.startswith("store") for line in shown)
    assert ("more stages" in "".join(shown)) == (height == 8)


def read_all(descriptor: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(descriptor)
    return b"".join(parts).decode()


async def pipeline_shown(out: io.StringIO) -> None:
    piping = ReadableStream.from_(range(20)).pipe_to(to_callable(lambda number: asyncio.sleep(0.01)))
    showing = terminal.show(observe(piping, name="numbers"), file=out, interval=0.05, total=20)
    await piping
    await showing


async def test_lines_without_a_terminal() -> None:
    out = io.StringIO()
    await pipeline_shown(out)
    lines = out.getvalue().splitlines()
    assert len(lines) > 1
    assert "\x1b" not in out.getvalue()
    assert re.fullmatch(r"numbers: [\d.]+ s, 100 %, 20 chunks, held up by .*", lines[-1])


async def test_lines_without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(terminal, "Live", None)
    out = Terminal()
    await pipeline_shown(out)
    assert "\x1b" not in out.getvalue()
    assert "100 %" in out.getvalue()


async def test_cancelling_the_view_ends_only_that() -> None:
    piping = ReadableStream.from_(range(20)).pipe_to(to_callable(lambda number: asyncio.sleep(0.005)))
    showing = terminal.show(observe(piping), file=io.StringIO(), interval=60)
    task = asyncio.ensure_future(showing)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await piping
    assert showing.done()
