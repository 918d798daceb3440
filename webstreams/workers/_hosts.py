"""Where the function runs: in a process, an interpreter or a thread."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from abc import ABC
from asyncio import get_running_loop
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from multiprocessing.context import get_spawning_popen, set_spawning_popen
from multiprocessing.reduction import ForkingPickler
from multiprocessing.spawn import get_preparation_data
from multiprocessing.util import _args_from_interpreter_flags  # type: ignore[attr-defined]
from threading import Lock, Thread
from typing import Any, ClassVar, Final, Literal, Protocol
from weakref import finalize

from .._engine.build import compiled
from .._engine.promise import Promise
from ..ends._blocking.threads import about_to_wait, in_thread
from ._child import Setup, serve
from ._ends import End, Listener, SocketEnd, ThreadEnd
from ._errors import FAILED, exit_status
from ._frames import CANCEL, SETUP
from ._work import Link, run

Kind = Literal["process", "thread", "interpreter"]

# What the new interpreter runs: our paths first, for this package is found by them.
BOOT: Final = "import sys; sys.path[:] = {path!r}; from webstreams.workers import _child"


class Watcher(Listener, Protocol):
    """Who has the worker."""

    def returned(self) -> None:
        """The worker's own code has ended; what is left is to take an interpreter to pieces."""


class Host(ABC):
    """A worker, started."""

    can_be_killed: ClassVar[bool] = False

    end: End
    # Fulfilled with the exit status when it has ended.
    exited: Promise[int]

    def kill(self) -> None:
        """End it at once, if that is possible."""

    def abandon(self) -> None:
        """End it, or make it end, in any thread; the loop may be closed."""
        self.kill()


class Process(Host):
    """A new Python. A thread waits for it, so that no zombie is left, whatever becomes of the loop."""

    can_be_killed = True

    def __init__(self, job: Job, listener: Watcher) -> None:
        setup = job.setup()
        ours, theirs = socket.socketpair()
        try:
            code = f"{BOOT.format(path=sys.path)}; _child.main({theirs.fileno()})"
            command = [sys.executable, *_args_from_interpreter_flags(), "-c", code]
            # A process group of its own: Ctrl-C in the terminal is for the program, which ends its workers.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno(), *job.descriptors], process_group=0
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        job.close_descriptors()  # the child has them
        self._lock = Lock()
        self._is_reaped = False
        try:
            self.exited = in_thread(self._wait)
        except BaseException:  # there is no thread for it
            ours.close()
            self._kill()
            self._process.wait()
            raise
        self.end = SocketEnd(ours, listener)
        _send_setup(self.end, setup)

    def kill(self) -> None:
        """Kill it, with what it has started."""
        with self._lock:
            if not self._is_reaped:
                self._kill()

    def _wait(self) -> int:
        about_to_wait()  # the calls that share the threads with it are not held up
        pid = self._process.pid
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        with self._lock:  # the number is that of the child, and of its group, until it is reaped
            self._kill()
            self._is_reaped = True
            return self._process.wait()

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


class InThread(Host):
    """Something that runs in a thread of this process. A thread that does not end holds up nothing."""

    def __init__(self) -> None:
        self._loop = get_running_loop()
        self.exited, self._resolve_exited, _ = Promise.with_resolvers()

    def _start(self, function: Callable[..., int | None], *args: Any) -> None:
        Thread(target=self._run, args=(function, *args), name="webstreams-worker", daemon=True).start()

    def _run(self, function: Callable[..., int | None], *args: Any) -> None:
        try:
            code = function(*args) or 0
        except SystemExit as error:
            code = exit_status(error)
        except BaseException:
            code = FAILED
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._resolve_exited, code)


class InterpreterHost(InThread):
    """An interpreter in a thread of its own, as far apart as a process, by the same program."""

    def __init__(self, job: Job, listener: Watcher) -> None:
        super().__init__()
        setup = job.setup()
        self._ours, theirs = socket.socketpair()
        self._is_wanted = True
        self._returned = listener.returned
        interpreter = None
        try:
            interpreter = interpreters().create()
            # The descriptors are the interpreter's as soon as it has loaded its function.
            self._start(self._interpret, interpreter, theirs, job.descriptors.copy())
        except BaseException:
            self._ours.close()
            theirs.close()
            if interpreter is not None:
                interpreter.close()
            raise
        job.descriptors.clear()
        self.end = SocketEnd(self._ours, listener)
        _send_setup(self.end, setup)

    def kill(self) -> None:
        """Let it end by itself: at the next message that it waits for, or before it begins. In any thread."""
        self._is_wanted = False
        with suppress(OSError):  # it is closed
            self._ours.shutdown(socket.SHUT_RDWR)

    def _interpret(self, interpreter: Any, theirs: socket.socket, descriptors: list[int]) -> int:
        status, has_loaded = 0, False
        try:
            interpreter.exec(BOOT.format(path=sys.path))
            if self._is_wanted:
                status, has_loaded = interpreter.call(serve, theirs.fileno())
        finally:
            theirs.close()
            if not has_loaded:
                _close_all(descriptors)
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._returned)
            interpreter.close()
        return status


class ThreadHost(InThread):
    """A thread of this interpreter: nothing is pickled."""

    def __init__(self, job: Job, listener: Watcher) -> None:
        super().__init__()
        end = ThreadEnd(listener)
        self.end = end
        self._link = end.link
        self._start(_work, end.link, job)

    def abandon(self) -> None:
        """See `Host`."""
        self._link.messages.put([(CANCEL, None)])


class Job:
    """What is to be run, and where."""

    def __init__(self, function: Callable[..., Any], kind: Kind, batch: int, grace: float) -> None:
        self.function = function
        self.kind: Kind = kind
        self.batch = batch
        self.grace = grace
        # What the child needs to have open: the ports that the function was given.
        self.descriptors: list[int] = []
        finalize(self, _close_all, self.descriptors).atexit = False
        self._pickled = b"" if kind == "thread" else pickled_function(function, kind, self.descriptors)
        if kind == "interpreter":
            interpreters()

    def start(self, listener: Watcher) -> Host:
        """Start a worker."""
        return HOSTS[self.kind](self, listener)

    def close_descriptors(self) -> None:
        """Close what the child has inherited."""
        _close_all(self.descriptors)

    def setup(self) -> Setup:
        """Return what a worker elsewhere is told first."""
        preparation = get_preparation_data("webstreams worker")
        del preparation["authkey"]  # which is for multiprocessing's children only
        return Setup(preparation, self._pickled, self.batch, self.grace)


HOSTS: Final[dict[Kind, Callable[[Job, Watcher], Host]]] = {
    "process": Process,
    "thread": ThreadHost,
    "interpreter": InterpreterHost,
}


class Inheritance:
    """Stands for the process that is being spawned, as multiprocessing has it, while its function is pickled.

    What has a descriptor (a port, a connection of multiprocessing) asks it to let the process inherit that.
    """

    def __init__(self, descriptors: list[int]) -> None:
        self._descriptors = descriptors

    def duplicate_for_child(self, descriptor: int) -> int:
        """Keep a duplicate for the process; it will have the same number there."""
        duplicate = os.dup(descriptor)
        self._descriptors.append(duplicate)
        return duplicate

    def DupFd(self, descriptor: int) -> Inherited:
        """Return what becomes the descriptor in the process."""
        return Inherited(descriptor)


class Inherited:
    """A descriptor that a process has inherited."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def detach(self) -> int:
        """Return it; the caller has to close it."""
        return self._descriptor


def pickled_function(function: Callable[..., Any], kind: Kind, descriptors: list[int]) -> bytes:
    """Pickle what the worker is to run; raises `TypeError` with the cure."""
    before: Any = get_spawning_popen()
    stand_in: Any = Inheritance(descriptors)
    set_spawning_popen(stand_in)
    try:
        return bytes(ForkingPickler.dumps(function, 5))
    except Exception as error:
        raise TypeError(
            f'kind="{kind}" needs a function that the worker can import, not {function!r}: define it with "def" at the '
            f'top of a module (arguments go with functools.partial), or use kind="thread" ({error})'
        ) from error
    finally:
        set_spawning_popen(before)


def _close_all(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())


def interpreters() -> Any:
    """Return the module of the interpreters. Raises `RuntimeError` where they cannot be used."""
    try:
        module = import_module("concurrent.interpreters")
    except ImportError:
        version = ".".join(map(str, sys.version_info[:2]))
        raise RuntimeError(
            f'kind="interpreter" needs Python 3.14, and this is {version}: use kind="process" or kind="thread"'
        ) from None
    if compiled:
        raise RuntimeError(
            'kind="interpreter" needs the pure build of webstreams, for compiled modules are loaded by one interpreter '
            'only: install it with "pip install --no-binary webstreams webstreams", or use kind="process"'
        )
    return module


def _send_setup(end: SocketEnd, setup: Setup) -> None:
    """Tell a worker what it has to do. If it has ended already, waiting for that tells why."""
    with suppress(OSError):
        sent = end.send(SETUP, setup)
        if sent is not None:
            sent.then(None, _overlook)


def _overlook(error: object) -> None:
    """The worker has ended before it was told everything."""


def _work(link: Link, job: Job) -> None:
    run(link, partial(_same, job.function), job.batch)


def _same(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return function
