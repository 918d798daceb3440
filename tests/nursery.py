"""Real processes that do not start from nothing: forks of one that has imported what Python programs of tests need.

To start an interpreter that imports asyncio and this library takes five times as long as most programs of tests do. A
fork of one that has done so runs the program as an interpreter would: in a namespace of its own, with its arguments,
standard streams, environment and signals; its exit is that of an interpreter, too. It becomes a child of the test
process (`_adopting`), so that `subprocess.Popen` is itself but for how the process begins.

What a start from nothing shows, and this does not, is that the program finds and imports the library: some tests of
each kind start so. With ``from_nursery`` as a fixture, others do not.

    python -m tests.nursery DESCRIPTOR MODULE...
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import importlib
import inspect
import io
import os
import pickle
import runpy
import signal
import socket
import subprocess
import sys
import time
import types
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Final, NamedTuple

from .children import staying

# What its processes have imported.
MODULES: Final = (
    "asyncio",
    "pickle",
    "ssl",
    "subprocess",
    "webstreams",
    "webstreams.ends.standard",
    "webstreams.workers._child",
)
# Descriptors are put aside from this number on, while those below are given to the program.
ASIDE: Final = 500
MAX_ORDER: Final = 1 << 18
# Of <sys/prctl.h>.
PR_SET_CHILD_SUBREAPER: Final = 36
# What an interpreter looks at when it starts, and the library when it is imported.
DECIDES: Final = ("PYTHON", "WEBSTREAMS")
# Flags that a fork can have afterwards.
FLAGS: Final[tuple[list[str], ...]] = (["-W", "error"], ["-Werror"], [])


# Of what begins a process in `subprocess.Popen`.
PARAMETERS: Final = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]


class Order(NamedTuple):
    """A process that is wanted. Its descriptors are sent along."""

    flags: list[str]
    # "-c" or "-m", what that runs, and the arguments.
    kind: str
    program: str
    arguments: list[str]
    descriptors: list[int]
    folder: str
    environment: dict[str, str]
    new_session: bool
    process_group: int
    ignores_interrupts: bool


# In the test process.


class ForkedPopen(subprocess.Popen[Any]):
    """A `subprocess.Popen` whose process is a fork, where it is a Python that can be one."""

    nursery: ClassVar[Nursery | None] = None

    def _execute_child(self, *arguments: Any) -> None:
        given = PARAMETERS.bind(self, *arguments).arguments
        order = order_of(given)
        if order is None or self.nursery is None:
            super()._execute_child(*arguments)  # type: ignore[misc]
            return
        names = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        ends = [given[name] for name in names]
        ours = [number if end == -1 else end for number, end in enumerate(ends[0::2][:1] + ends[3::2])]
        try:
            self.pid = self.nursery.fork(order, [*ours, *given["pass_fds"]])
            self._child_created = True
        finally:
            self._close_pipe_fds(*ends)  # type: ignore[attr-defined]


def order_of(given: Mapping[str, Any]) -> Order | None:
    """Return the order for what `subprocess.Popen` was given; None if that has to start from nothing."""
    command = [os.fspath(each) for each in given["args"]] if isinstance(given["args"], list | tuple) else []
    kinds = [index for index, each in enumerate(command) if each in ("-c", "-m")]
    if not kinds or command[0] != sys.executable or command[1 : kinds[0]] not in FLAGS:
        return None
    unusual = [given["preexec_fn"], given["shell"], given["gid"], given["gids"], given["uid"]]
    if any(unusual) or given["umask"] != -1 or not given["close_fds"]:
        return None
    environment = dict(os.environ if given["env"] is None else given["env"])
    if not _starts_alike(environment):
        return None
    kind = kinds[0]
    return Order(
        command[1:kind],
        command[kind],
        command[kind + 1],
        command[kind + 2 :],
        [0, 1, 2, *given["pass_fds"]],
        os.getcwd() if given["cwd"] is None else os.fspath(given["cwd"]),
        environment,
        given["start_new_session"],
        given["process_group"],
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    )


def _starts_alike(environment: dict[str, str]) -> bool:
    """Whether an interpreter with this environment would be as ours; the paths of modules may be fewer."""

    def decisive(found: Mapping[str, str]) -> dict[str, str]:
        ignored = ("PYTHONPATH", "PYTHONUNBUFFERED")
        return {name: value for name, value in found.items() if name.startswith(DECIDES) and name not in ignored}

    paths = environment.get("PYTHONPATH", "").split(os.pathsep)
    return decisive(environment) == decisive(os.environ) and set(filter(None, paths)) <= set(sys.path)


class Nursery:
    """The process that forks others."""

    def __init__(self) -> None:
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.nursery", str(theirs.fileno()), *MODULES]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with theirs:
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)
        staying.add(self._process.pid)

    def fork(self, order: Order, descriptors: list[int]) -> int:
        """Have a process, a child of this one; return its number."""
        with _adopting():
            socket.send_fds(self._connection, [pickle.dumps(order)], descriptors)
            pid = int(self._connection.recv(100))
            assert self._connection.recv(100) == b"adopted"
        return pid

    def end(self) -> None:
        """End it; its children live on."""
        self._connection.close()
        self._process.wait()
        staying.discard(self._process.pid)


@contextmanager
def _adopting() -> Iterator[None]:
    """Become the parent of those among our descendants whose own parent ends."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


# In the nursery.


def serve(connection: socket.socket) -> Order | None:
    """Fork a process for each order; return in each of them with its own, and with None at the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    while True:
        data, descriptors, _, _ = socket.recv_fds(connection, MAX_ORDER, 100)
        if not data:
            return None
        between = os.fork()
        if not between:
            parent = os.getpid()
            child = os.fork()
            if not child:
                while os.getppid() == parent:  # which ends at once: the test process is our parent then
                    time.sleep(0.0001)
                order: Order = pickle.loads(data)
                connection.detach()
                begin(order, descriptors)
                return order
            connection.send(b"%d" % child)
            os._exit(0)
        os.waitpid(between, 0)
        connection.send(b"adopted")
        for each in descriptors:
            os.close(each)


def begin(order: Order, descriptors: list[int]) -> None:
    """Become as the process of an order is when its program begins."""
    aside = [fcntl.fcntl(each, fcntl.F_DUPFD, ASIDE) for each in descriptors]
    os.closerange(3, ASIDE)
    for each, number in zip(aside, order.descriptors, strict=True):
        os.dup2(each, number)
        os.close(each)
    if order.new_session:
        os.setsid()
    elif order.process_group >= 0:
        os.setpgid(0, order.process_group)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN if order.ignores_interrupts else signal.default_int_handler)
    sys.stdin = _opened(0, "r")
    sys.stdout = _opened(1, "w")
    sys.stderr = _opened(2, "w")
    if order.flags:
        sys.warnoptions[:] = ["error"]
        warnings.simplefilter("error")
    sys.argv[:] = [order.kind, *order.arguments]
    sys.path.insert(0, "" if order.kind == "-c" else order.folder)


def _opened(number: int, mode: str) -> io.TextIOWrapper:
    """Open a standard stream as Python does."""
    unbuffered = mode == "w" and "PYTHONUNBUFFERED" in os.environ
    raw = open(number, f"{mode}b", buffering=0 if unbuffered else -1, closefd=False)  # noqa: SIM115 - as long as we live
    errors = "backslashreplace" if number == 2 else "strict"
    line_buffering = number == 2 or os.isatty(number)
    return io.TextIOWrapper(raw, errors=errors, line_buffering=line_buffering, write_through=unbuffered)


def run(order: Order) -> None:
    """Run a program as the main module."""
    if order.kind == "-m":
        runpy.run_module(order.program, run_name="__main__", alter_sys=True)
        return
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(order.program, "<string>", "exec"), main.__dict__)


def main() -> None:
    """Import the modules, and serve."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[2:]:
        importlib.import_module(name)
    order = serve(connection)
    if order is not None:
        run(order)


if __name__ == "__main__":
    main()
