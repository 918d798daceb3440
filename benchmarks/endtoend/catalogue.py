"""The rows: what is done with how much, and how the inputs are made."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1_000_000
TEXT, RECORDS, PACKED, COPY, KEPT = "text.txt", "records.ndjson", "text.txt.gz", "copy", "kept.ndjson"
_LINE = "{:07} the quick brown fox jumps over the lazy dog, naïvely: €5\n"


@dataclass(frozen=True)
class Row:
    """One row: a job, and how many megabytes go into it."""

    name: str
    title: str
    megabytes: float


ROWS = (
    Row("copy", "copy a file", 64),
    Row("relay", "relay from socket to socket", 64),
    Row("proxy", "HTTP proxy", 64),
    Row("decode", "decode a file", 16),
    Row("lines", "lines of a file", 16),
    Row("ndjson", "NDJSON: parse, filter, write", 8),
    Row("gzip", "gzip a file", 8),
    Row("gunzip", "gunzip a file", 64),
)


@dataclass(frozen=True)
class Place:
    """Where a job finds its files and its peer, and how much it is to move."""

    folder: Path
    port: int
    """The port of the peer: a line tells it what to do (`peer`)."""
    size: int
    """The bytes that go in; what comes out of `gunzip`."""

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return str(self.folder / name)


def make_inputs(folder: Path, sizes: Mapping[str, int]) -> dict[str, int]:
    """Write what the jobs read; return what each job has to find: bytes, characters, lines or records."""
    expected = {}
    for name, size in sizes.items():
        home = folder / name
        home.mkdir()
        expected[name] = _write_records(home / RECORDS, size) if name == "ndjson" else _write_text(home, name, size)
    return expected


def _write_text(home: Path, name: str, size: int) -> int:
    lines = list(map(_LINE.format, range(size // len(_LINE.format(0).encode()))))
    text = "".join(lines)
    rest = size - len(text.encode())
    data = (text + " " * rest).encode()
    if name == "gunzip":
        (home / PACKED).write_bytes(gzip.compress(data))
    else:
        (home / TEXT).write_bytes(data)
    return {"decode": len(text) + rest, "lines": len(lines) + bool(rest)}.get(name, size)


def _write_records(path: Path, size: int) -> int:
    records: list[str] = []
    while size > 0:
        number = len(records)
        record = {"number": number, "name": f"record {number}", "tags": ["one", "two"], "value": number / 7}
        records.append(json.dumps(record) + "\n")
        size -= len(records[-1])
    path.write_text("".join(records), encoding="utf-8")
    return len(records[::4])
