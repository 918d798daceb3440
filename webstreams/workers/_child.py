"""The program of a worker process, and of an interpreter."""

from __future__ import annotations

import atexit
import os
import pickle
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import current_process
from multiprocessing.spawn import prepare
from typing import Any, NamedTuple

from ._frames import SETUP, decode
from ._work import SocketLink, run


class Setup(NamedTuple):
    """What a worker is told first."""

    # What multiprocessing tells a spawned child: the paths, the arguments and the main module.
    preparation: dict[str, Any]
    # Pickled apart: it may be in the main module, which has to be imported before.
    function: bytes
    batch: int
    grace: float


def main(descriptor: int, is_process: bool) -> None:
    """Work for the other end of a socket."""
    connection = socket.socket(fileno=descriptor)
    link = SocketLink(connection)
    try:
        link.fetch()
    except (EOFError, OSError):
        return
    kind, value = decode(link.frames.popleft())
    assert kind == SETUP
    setup: Setup = value
    if is_process:
        threading.Thread(target=_end_after, args=(descriptor, setup.grace), daemon=True).start()
    run(link, partial(_load, setup), setup.batch)
    if is_process:
        _exit()
    connection.close()


def _exit() -> None:
    """End this process as Python ends, but without taking all of it to pieces: nothing is left that needs it."""
    shut_down: Any = threading._shutdown  # type: ignore[attr-defined]  # noqa: SLF001 - what Python calls itself
    shut_down()  # waits for threads
    atexit._run_exitfuncs()  # noqa: SLF001 - what Python calls itself
    for file in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            file.flush()
    os._exit(0)


def _load(setup: Setup) -> Callable[[Any], Any]:
    process: Any = current_process()
    # As in a child of multiprocessing's own, for a main module that starts workers when it is imported.
    process._inheriting = True  # noqa: SLF001
    try:
        prepare(setup.preparation)
    finally:
        process._inheriting = False  # noqa: SLF001
    function: Callable[[Any], Any] = pickle.loads(setup.function)
    return function


def _end_after(descriptor: int, grace: float) -> None:
    """End this process soon after the other end has gone, whatever it does. In a thread."""
    poll = select.poll()
    poll.register(descriptor, 0)  # the end of the connection is told in any case
    poll.poll()
    time.sleep(grace)
    os._exit(1)
