"""The files and pipes that this process has open."""

from __future__ import annotations

import os


def open_descriptors() -> dict[int, str]:
    """Give every open descriptor, and what it is. Not the sockets: uvloop makes new ones for itself now and then."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            pass  # the one of the list itself
    return {number: target for number, target in found.items() if not target.startswith("socket:")}
