"""In place of upstream's media files: data of their kinds and sizes."""

from __future__ import annotations

import random

SMALL_DATA = b"WEBVTT\n\n00:00.000 --> 00:05.000\nFoo\n"


def make_large_data(length: int = 200_000) -> bytes:
    """Give what compresses a little: bytes of which some are more frequent, the same ones each time."""
    return bytes(random.Random(length).choices(range(256), weights=range(1, 257), k=length))


LARGE_DATA = make_large_data()
