"""The input of the main job when it is given none: a large log, compressed."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

LEVELS = ("DEBUG", "INFO", "INFO", "WARNING")
WORDS = ("accepted", "closed", "for", "from", "grüße", "peer", "query", "request", "session", "slow", "timeout", "user")


def write_sample(path: Path, size: int) -> None:
    """Write about `size` bytes of log lines, compressed with gzip; the same ones every time."""
    dice = random.Random(2026)
    messages = [" ".join(dice.choices(WORDS, k=dice.randint(8, 30))) for _ in range(5000)]
    first = written = 0
    with gzip.open(path, "wb", compresslevel=1) as file:
        while written < size:
            rows = []
            for number in range(first, first + 500):
                time = f"2026-11-23T{number // 3600000 % 24:02}:{number // 60000 % 60:02}:{number % 60000 / 1000:06.3f}"
                level, message = dice.choice(LEVELS), dice.choice(messages)
                rows.append(f"{time} {level} worker-{number % 16} {message} id={number}\n")
            first += 500
            written += file.write("".join(rows).encode())
