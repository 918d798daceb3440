"""Writing a file, for tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from webstreams import ReadableStream
from webstreams.ends.files import write_file

KIB = 1024
CHUNK = bytes(range(256)) * 256
BOOM = ValueError("boom")


def names(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


async def write(path: Path, *chunks: Any, **options: Any) -> None:
    await ReadableStream.from_(chunks).pipe_to(write_file(path, **options))
