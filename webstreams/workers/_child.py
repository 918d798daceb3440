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

from ._errors import exit_status
from ._frames import SETUP, Frame, decode
from ._work import SocketLink, run


class Setup(NamedTuple):
    """What a worker is told first."""

    # What multiprocessing tells a spawned child: the paths, the arguments and the main module.
    preparation: dict[str, Any]
    # Pickled apart: it may be in the main module, which has to be imported before.
    function: bytes
    batch: int
    grace: float


class Loading:
    """Loads the function, and knows whether it has begun to: from then on, what that refers to belongs to it."""

    def __init__(self) -> None:
        self.has_begun = False

    def load(self, setup: Setup) -> Callable[[Any], Any]:
        """Load the function of a setup."""
        process: Any = current_process()
        # As in a child of multiprocessing's own, for a main module that starts workers when it is imported.
        process._inheriting = True  # noqa: SLF001
        try:
            prepare(setup.preparation)
        finally:
            process._inheriting = False  # noqa: SLF001
        self.has_begun = True
        function: Callable[[Any], Any] = pickle.loads(setup.function)
        return function


def main(descriptor: int) -> None:
    """Work for the other end of a socket, in a process, and end that."""
    link = SocketLink(socket.socket(fileno=descriptor))
    setup = _receive_setup(link)
    if setup is not None:
        threading.Thread(target=_end_after, args=(descriptor, setup.grace), daemon=True).start()
        run(link, partial(Loading().load, setup), setup.batch)
        _exit()


def serve(descriptor: int) -> tuple[int, bool]:
    """Work for the other end of a socket, in an interpreter; the socket stays open, for it is not ours.

    Return the exit status, which interpreters do not have, and whether the function was loaded.
    """
    connection = socket.socket(fileno=descriptor)
    loading = Loading()
    status = 0
    try:
        link = SocketLink(connection)
        setup = _receive_setup(link)
        if setup is not None:
            run(link, partial(loading.load, setup), setup.batch)
    except SystemExit as error:
        status = exit_status(error)
    finally:
        connection.detach()
    return status, loading.has_begun


def _receive_setup(link: SocketLink) -> Setup | None:
    """Wait for what there is to do; None if nobody wants it any more."""
    try:
        link.fetch()
    except (EOFError, OSError):
        return None
    frame = link.frames.popleft()
    assert isinstance(frame, Frame)
    kind, setup = decode(frame)
    assert kind == SETUP
    assert isinstance(setup, Setup)
    return setup


def _exit() -> None:
    """End this process as Python ends, but without taking all of it to pieces: nothing is left that needs it."""
    shut_down: Any = threading._shutdown  # type: ignore[attr-defined]  # noqa: SLF001 - what Python calls itself
    shut_down()  # waits for threads
    atexit._run_exitfuncs()  # noqa: SLF001 - what Python calls itself
    for file in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            file.flush()
    os._exit(0)


def _end_after(descriptor: int, grace: float) -> None:
    """End this process soon after the other end has gone, whatever it does. In a thread."""
    poll = select.poll()
    poll.register(descriptor, 0)  # the end of the connection is told in any case
    poll.poll()
    time.sleep(min(grace, threading.TIMEOUT_MAX))
    os._exit(1)
