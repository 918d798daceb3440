"""The files and pipes that this process has open."""

from __future__ import annotations

import os


def open_descriptors() -> dict[int, str]:
    """Give every open descriptor, and what it is. Not the sockets: uvloop makes new ones for itself now and then."""
    return {number: target for number, target in every_descriptor().items() if not target.startswith("socket:")}


def open_sockets() -> set[str]:
    """Give what tells every open socket from others; uvloop's own, too."""
    return {target for target in every_descriptor().values() if target.startswith("socket:")}


def every_descriptor() -> dict[int, str]:
    """Give what every descriptor is, the sockets too."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            pass  # the one of the list itself
    return found
