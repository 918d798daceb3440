"""The rows: what is done with how much, and how the inputs are made."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1_000_000
TEXT, RECORDS, PACKED, COPY, KEPT = "text.txt", "records.ndjson", "text.txt.gz", "copy", "kept.ndjson"
# Text that compresses as texts do, to about a third: lines of random words, which begin again only after a megabyte.
_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ly", "mé", "no", "pi", "qua", "re", "stra", "ti", "vö", "x", "zz")
_WORDS_IN_A_LINE = 10


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
    data = _text(size)
    if name == "gunzip":
        (home / PACKED).write_bytes(gzip.compress(data))
    else:
        (home / TEXT).write_bytes(data)
    text = data.decode()
    return {"decode": len(text), "lines": len(text.splitlines())}.get(name, size)


def _text(size: int) -> bytes:
    dice = random.Random(7)
    words = ["".join(dice.choices(_SYLLABLES, k=dice.randrange(1, 5))) for _ in range(3000)]
    lines: list[bytes] = []
    made = 0
    while made < min(size, MEGABYTE):
        lines.append((" ".join(dice.choices(words, k=_WORDS_IN_A_LINE)) + "\n").encode())
        made += len(lines[-1])
    times, rest = divmod(size, made)
    data = b"".join(lines)
    return data * times + data[:rest].decode(errors="ignore").encode().ljust(rest)


def _write_records(path: Path, size: int) -> int:
    records: list[str] = []
    while size > 0:
        number = len(records)
        record = {"number": number, "name": f"record {number}", "tags": ["one", "two"], "value": number / 7}
        records.append(json.dumps(record) + "\n")
        size -= len(records[-1])
    path.write_text("".join(records), encoding="utf-8")
    return len(records[::4])
