"""Bytes for people, and the memory of the process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

MEGABYTE = 1_000_000


def amount(size: int) -> str:
    """Write a number of bytes for people."""
    if size < 1000:
        return f"{size} B"
    if size < MEGABYTE:
        return f"{size / 1000:.1f} kB"
    return f"{size / MEGABYTE:,.1f} MB"


def peak_memory() -> int:
    """Return the most bytes of memory that the process has had so far.

    On Linux the kernel's own figure for this program comes first: there ``ru_maxrss`` begins with the size of the
    process that started this one, and a big parent would hide what is used here.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
