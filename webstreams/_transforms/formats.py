"""The formats of the Compression Standard, section 3, and zstd: which there are, and whether they can be used here.

zlib is part of Python. Brotli and zstd are optional: the package Brotli, 1.2 or newer, whose decompressor can be told
when to stop; and `compression.zstd` of Python 3.14, or the package backports.zstd before that.
"""

from __future__ import annotations

import sys
import zlib
from importlib import import_module
from operator import attrgetter
from typing import Any, Final

from .._platform.buffer import as_bytes_view, open_view

# Why the package of a format cannot be used.
MISSING: Final[dict[str, ImportError]] = {}


def _optional(name: str, module: str, needed: str) -> Any:
    """Import the module of a format; None if it is missing, or so old that it has not got what is needed."""
    try:
        found = import_module(module)
    except ImportError as error:
        MISSING[name] = error
        return None
    try:
        attrgetter(needed)(found)
    except AttributeError as error:
        MISSING[name] = ImportError(f"{module} {getattr(found, '__version__', '')} is too old: {error}", name=module)
        return None
    return found


brotli: Final = _optional("brotli", "brotli", "Decompressor.can_accept_more_data")
zstd: Final = _optional(
    "zstd", "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd", "ZstdDecompressor"
)

FORMATS: Final = ("brotli", "deflate", "deflate-raw", "gzip", "zstd")
WINDOW_BITS: Final = {"deflate": zlib.MAX_WBITS, "deflate-raw": -zlib.MAX_WBITS, "gzip": 16 + zlib.MAX_WBITS}
_PACKAGES: Final = {"brotli": "Brotli 1.2 or newer", "zstd": "backports.zstd"}

# The window that RFC 9659 lets a zstd content coding have (bytes).
DEFAULT_MAX_WINDOW: Final = 8 * 1024 * 1024
# Up to this many bytes are compressed in the loop's thread (bytes).
INLINE: Final = 16384

NO_BYTES: Final = memoryview(b"")


def check_format(name: Any) -> None:
    """Raise `TypeError` for a format that does not exist, or whose package is missing."""
    if not isinstance(name, str):
        raise TypeError(f"format must be a string, not {type(name).__name__}")
    if name not in FORMATS:
        raise TypeError(f"there is no compression format {name!r}; there are {', '.join(FORMATS)}")
    if name in MISSING:
        raise TypeError(
            f'the compression format "{name}" needs the package {_PACKAGES[name]}: pip install "webstreams[{name}]"'
        ) from MISSING[name]


class Input:
    """What compressors and decompressors have in common: the chunk."""

    __slots__ = ("__weakref__", "_rest", "failure", "used_up")

    def __init__(self) -> None:
        self._rest = NO_BYTES
        self.used_up = True
        self.failure: Exception | None = None

    def take(self, chunk: Any) -> None:
        """Accept any object with the buffer protocol."""
        self._rest = as_bytes_view(open_view(chunk, "the chunk"), "the chunk") or NO_BYTES
        self.used_up = not self._rest

    def _next_part(self, size: int) -> memoryview:
        part, self._rest = self._rest[:size], self._rest[size:]
        if not self._rest:
            self._rest = NO_BYTES  # which keeps no buffer of the user's from being resized
        return part
