"""Sockets that listen, and the connections that they accept.

Not asyncio's servers: they accept all that comes, one of Unix sockets takes the path of any other, and what their
closing does depends on the version of Python and on the loop.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from .options import is_abstract

# How many connections are accepted in a row before the loop gets its turn.
ACCEPTS_IN_A_ROW: Final = 100
# How long to wait when there are no descriptors or no memory for another connection (seconds).
PAUSE: Final = 0.5

# An address of a host which this machine does not have: as ::1 of "localhost" where IPv6 is switched off, as in many
# containers. It is enough to listen on the others.
NOT_HERE: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
SYSTEM_IS_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


async def open_tcp(host: str | None, port: int, backlog: int) -> list[socket.socket]:
    """Listen on all addresses of a host: on the same port, if the system chooses it."""
    loop = asyncio.get_running_loop()
    flags = socket.AI_PASSIVE
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
    sockets: list[socket.socket] = []
    try:
        missing: OSError | None = None
        for family, kind, protocol, _, address in dict.fromkeys(found):
            if sockets and not port:
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            try:
                sockets.append(_bound(family, kind, protocol, address))
            except OSError as error:
                if error.errno not in NOT_HERE:
                    raise
                missing = error
        if missing is not None and not sockets:
            raise missing
        for each in sockets:
            each.listen(backlog)
    except BaseException:
        close_all(sockets)
        raise
    return sockets


def _bound(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> socket.socket:
    try:
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(address, error) from None
    try:
        made.setblocking(False)
        if os.name == "posix" and sys.platform != "cygwin":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has a socket of its own
        made.bind(address)
    except OSError as error:
        made.close()
        raise _cannot_listen(address, error) from None
    return made


def _cannot_listen(address: tuple[object, ...], error: OSError) -> OSError:
    return OSError(error.errno, f"cannot listen on {address[0]} port {address[1]}: {error.strerror}")


def open_unix(path: str | bytes, mode: int | None, backlog: int) -> socket.socket:
    """Listen at a path; a socket that nobody listens to any more is replaced, a living one is not."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        _remove_dead(path)
        made.bind(path)
        try:
            if mode is not None:
                os.chmod(path, mode)  # before anybody can connect
            made.listen(backlog)
        except BaseException:
            os.unlink(path)
            raise
    except OSError as error:
        made.close()
        if error.filename is None:
            error.filename = path
        raise
    return made


def _remove_dead(path: str | bytes) -> None:
    if is_abstract(path):
        return
    try:
        identity = identity_of(path)
    except OSError:
        return  # nothing, or no socket: listening tells
    if not _is_alive(path):
        unlink(path, identity)


def _is_alive(path: str | bytes) -> bool:
    """Whether any process holds the socket of a path.

    Connecting a datagram socket tells, and does not disturb a server: it refuses the type, if there is one.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True


Identity = tuple[int, int, int]


def identity_of(path: str | bytes) -> Identity:
    """Return what tells a socket in the file system from a later one at the same path."""
    status = os.stat(path)
    if not stat.S_ISSOCK(status.st_mode):
        raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK), path)
    return status.st_dev, status.st_ino, status.st_ctime_ns


def unlink(path: str | bytes, identity: Identity) -> None:
    """Remove a socket from the file system, unless there is another one meanwhile."""
    with suppress(OSError):
        if identity_of(path) == identity:
            os.unlink(path)


def unlinking(sock: socket.socket) -> Callable[[], None] | None:
    """Return what removes the path of a Unix socket, unless another server has taken it meanwhile."""
    path = sock.getsockname()
    if not isinstance(path, str | bytes) or not path or is_abstract(path):
        return None
    path = os.path.abspath(path)  # whatever the working directory is then
    with suppress(OSError):
        return partial(unlink, path, identity_of(path))
    return None


async def connected_to(path: str | bytes) -> socket.socket:
    """Return a socket that is connected to a Unix socket."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, path)
    except BaseException:
        made.close()
        raise
    return made


def close_all(sockets: Sequence[socket.socket]) -> None:
    """Close some sockets."""
    for each in sockets:
        each.close()


class Listener:
    """Accepts connections at some sockets, unless it is paused: then they wait in the backlog of the system."""

    def __init__(self, sockets: Sequence[socket.socket], accepted: Callable[[socket.socket], object]) -> None:
        self.sockets = tuple(sockets)
        self._accepted = accepted
        self._loop = asyncio.get_running_loop()
        self._is_accepting = False
        self._tasks: list[asyncio.Task[None]] = []
        # Waits for the system to have room again.
        self._pause: asyncio.TimerHandle | None = None
        self._unlink = unlinking(sockets[0])

    def resume(self) -> None:
        """Accept what comes."""
        if self._is_accepting or not self.sockets or self._pause is not None:
            return
        self._is_accepting = True
        try:
            for each in self.sockets:
                self._loop.add_reader(each.fileno(), self._ready, each)
        except NotImplementedError:  # Windows' default loop
            self._tasks = [self._loop.create_task(self._accept_each(each)) for each in self.sockets]

    def pause(self) -> None:
        """Accept no more."""
        if not self._is_accepting:
            return
        self._is_accepting = False
        if self._tasks:
            for task in self._tasks:
                task.cancel()
            self._tasks = []
            return
        for each in self.sockets:
            self._loop.remove_reader(each.fileno())

    def close(self) -> None:
        """Stop listening, and remove the path of a Unix socket."""
        self.pause()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        close_all(self.sockets)
        self.sockets = ()
        if self._unlink is not None:
            self._unlink()
            self._unlink = None

    def _ready(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS_IN_A_ROW):
            if not self._is_accepting:
                return
            try:
                accepted, _ = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._fail(error)
                return
            self._accepted(accepted)

    async def _accept_each(self, listening: socket.socket) -> None:
        while True:
            try:
                accepted, _ = await self._loop.sock_accept(listening)
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._tasks = [task for task in self._tasks if task is not asyncio.current_task()]
                self._fail(error)
                return
            self._accepted(accepted)

    def _fail(self, error: OSError) -> None:
        """Wait for a while if the system has no room; any other error ends the listening."""
        self.pause()
        message = "webstreams: a server cannot accept connections"
        if error.errno in SYSTEM_IS_FULL:
            message += f", and tries again in {PAUSE:g} s"
            self._pause = self._loop.call_later(PAUSE, self._try_again)
        self._loop.call_exception_handler({"message": message, "exception": error})

    def _try_again(self) -> None:
        self._pause = None
        self.resume()
