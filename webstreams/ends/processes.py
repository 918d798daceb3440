"""Child processes, as something to `pipe_through`: their standard input, output and error are streams."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import IO, Any, Final, Self

from typing_extensions import Buffer

from .._debug.repr import show
from .._platform.arguments import checked_path, show_number
from .._platform.errors import AbortError, as_exception
from .._platform.idl import INTERNAL, refuse_constructor
from .._streams.readable.stream import ReadableStream
from .._streams.writable.stream import WritableStream
from ._bytes import bytes_strategy
from ._processes.child import Argument, Child
from ._processes.ends import Ends

__all__ = ["Process", "open_process"]

# `subprocess.PIPE` (a stream), `subprocess.DEVNULL`, `subprocess.STDOUT` (for standard error), a descriptor or a file;
# None: the child shares ours.
Redirection = int | IO[Any] | None
# A C int.
MOST_DESCRIPTOR: Final = 2**31 - 1


class Process:
    """A child process, from `open_process`. Something to ``pipe_through()``.

    - `stdin` takes any bytes-like objects (its high-water mark is 64 KiB); a write is done when the pipe has taken it.
      Closing it tells the child that no more comes. Aborting it kills the child, which must not take what it has got
      for the whole, and errors `stdout` and `stderr` with the same reason. When the child has closed its input or has
      ended, writing fails with `BrokenPipeError`.
    - `stdout` and `stderr` are byte streams. A default read gets at most 64 KiB, a BYOB read what fits into its memory,
      and nothing is read ahead: a consumer that stops stops the child. Cancelling closes the pipe, at once.
    - `stdout` ends when the child has ended. If its exit status is not 0 or a signal killed it, the reader gets a
      `subprocess.CalledProcessError` after the last byte, once, unless `check` is False. If only `stderr` is a stream,
      it is the one that tells; if none is, `wait` raises.

    ``async with process:`` leaves no child behind: at the end of the block, `stdin` is closed, what is not read of
    `stdout` and `stderr` is dropped, and the child is waited for. When the block raises or is cancelled, the child is
    killed, and waited for. A child that still runs when the event loop ends is killed, too. What it has started itself
    may live on, unless it was opened with ``group=True``.

    With `check`, leaving the block without an error raises `subprocess.CalledProcessError` if the child has failed and
    no reader was told. Three ways to end are no failure there: by a signal that was sent through this object, by
    ``SIGPIPE`` after its output was dropped, and any after the stream that would tell was cancelled.

    >>> async def main() -> None:
    ...     async with await open_process("tr", "a-z", "A-Z") as process:
    ...         async for chunk in ReadableStream.from_([b"hel", b"lo"]).pipe_through(process):
    ...             print(chunk)
    ...         print(await process.wait())
    >>> asyncio.run(main())
    b'HELLO'
    0
    """

    __slots__ = ("__weakref__", "_child", "_ends", "args", "stderr", "stdin", "stdout")

    def __init__(self, token: object = None, *setup: Any) -> None:
        if token is not INTERNAL:
            raise refuse_constructor("Process", "open_process() returns one, when it is awaited")
        child, ends = setup
        self._child: Child = child
        self._ends: Ends = ends
        self.args: tuple[Argument, ...] = child.args
        self.stdin: WritableStream[Buffer] | None = None
        self.stdout: ReadableStream[bytes] | None = None
        self.stderr: ReadableStream[bytes] | None = None
        if ends.stdin is not None:
            self.stdin = WritableStream(ends.stdin, bytes_strategy())
        if ends.stdout is not None:
            self.stdout = ReadableStream(ends.stdout)
        if ends.stderr is not None:
            self.stderr = ReadableStream(ends.stderr)

    @property
    def readable(self) -> ReadableStream[bytes]:
        """The same as `stdout`. Raises `TypeError` if that is not a stream."""
        if self.stdout is None:
            raise TypeError("the standard output of this process is not a stream: it needs stdout=subprocess.PIPE")
        return self.stdout

    @property
    def writable(self) -> WritableStream[Buffer]:
        """The same as `stdin`. Raises `TypeError` if that is not a stream."""
        if self.stdin is None:
            raise TypeError("the standard input of this process is not a stream: it needs stdin=subprocess.PIPE")
        return self.stdin

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """The exit status of the child, ``-N`` if the signal N killed it; None while it runs."""
        return self._child.returncode

    async def wait(self) -> int:
        """Wait until the child has ended; return its `returncode`. Cancelling that does nothing to the child.

        Raises `subprocess.CalledProcessError` if `check` is true and there is neither a `stdout` nor a `stderr` which
        would tell of the failure.
        """
        code = await self._child.exited
        if self._ends.tells_nobody:
            error = await self._child.verdict
            if error is not None:
                raise error
        return code

    def kill(self) -> None:
        """Kill the child, or its whole group (``SIGKILL``), unless it has ended."""
        self._child.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the child, or its whole group, to end (``SIGTERM``), unless it has ended."""
        self._child.send_signal(signal.SIGTERM)

    def send_signal(self, number: int) -> None:
        """Send a signal to the child, or to its whole group, unless it has ended."""
        self._child.send_signal(number)

    async def __aenter__(self) -> Self:
        """Return the process itself."""
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Wait for the child; kill it if the block raised. Raises `CalledProcessError`, see the class."""
        if error is not None:
            await self._end_now(as_exception(error))
            self._explain(error)
            return
        try:
            await self._end()
        except asyncio.CancelledError as cancelled:
            await self._end_now(as_exception(cancelled))
            raise

    async def _end(self) -> None:
        reason = AbortError("the `async with` block of the process has ended")
        self._ends.fail_readers(reason)
        if self.stdin is not None and not self.stdin.locked:
            await _finish(self.stdin)
        self._ends.fail_writer(reason)
        await self._child.exited
        failure = await self._child.verdict
        if failure is not None and not self._ends.has_told and not self._child.was_ended_by_us(self._ends.was_dropped):
            raise failure

    def _explain(self, error: BaseException) -> None:
        """Say why nobody reads what was written, if the child has failed before."""
        failure = self._child.verdict.result()
        if isinstance(error, BrokenPipeError) and failure is not None and not self._child.was_ended_by_us(False):
            error.add_note(str(failure))

    async def _end_now(self, reason: object) -> None:
        self.kill()
        self._ends.fail_writer(reason)
        self._ends.fail_readers(reason)
        await self._child.reap()

    def __repr__(self) -> str:
        """Show the program, the process id and the exit status."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield repr(os.fsdecode(self.args[0]))
        yield f"pid={self.pid}"
        yield "running" if self.returncode is None else f"returncode={self.returncode}"


async def open_process(
    *args: Argument,
    stdin: Redirection = subprocess.PIPE,
    stdout: Redirection = subprocess.PIPE,
    stderr: Redirection = None,
    cwd: Argument | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    group: bool = False,
) -> Process:
    """Start a program with its arguments, without a shell; return it as a `Process`, whose pipes are streams.

    `stdin`, `stdout` and `stderr` are what `subprocess.Popen` takes: ``subprocess.PIPE`` for a stream (the default of
    the first two), None to share ours (the default of `stderr`), ``subprocess.DEVNULL``, a descriptor or a file, and
    for `stderr` ``subprocess.STDOUT``. `cwd` is the directory and `env` the environment of the child, by default ours.
    With `check`, a child that fails is an error where its output is read, or at the end of the block (see `Process`).

    With `group`, the child leads a process group of its own: signals go to all of the group, and when the child has
    ended, what is left of the group is killed, so that nothing which the child has started lives on (unless it has
    left the group, as a daemon does). Ctrl-C in a terminal does not reach such a group: end it, or leave the block.

    Raises the `OSError` of starting the program (`FileNotFoundError`, `PermissionError`, ...), `TypeError` for
    arguments of other types, and `ValueError` for `group` where the system has no process groups. Nothing is left
    behind when it raises. It needs an event loop that can watch pipes, so it does not work on Windows.

    >>> async def main() -> None:
    ...     async with await open_process("sh", "-c", "echo tea; exit 3", stdin=subprocess.DEVNULL) as process:
    ...         try:
    ...             async for chunk in process.readable:
    ...                 print(chunk)
    ...         except subprocess.CalledProcessError as error:
    ...             print(error.returncode)
    >>> asyncio.run(main())
    b'tea\\n'
    3
    """
    _check_arguments(args, stdin, stdout, stderr)
    _check_environment(env)
    if cwd is not None:
        cwd = checked_path(cwd, "cwd")
    if group and not hasattr(os, "killpg"):
        raise ValueError("group=True needs process groups, which this system does not have: leave it out")
    child = Child(args, check, group)
    ends = Ends(child)
    _start(child, ends, {"stdin": stdin, "stdout": stdout, "stderr": stderr}, cwd=cwd, env=env)
    ends.watch()
    return Process(INTERNAL, child, ends)


def _start(child: Child, ends: Ends, redirections: dict[str, Redirection], **options: Any) -> None:
    """Start the program, with a pipe for each redirection that is to be a stream."""
    connect = {"stdin": ends.connect_stdin, "stdout": ends.connect_stdout, "stderr": ends.connect_stderr}
    theirs: list[int] = []
    try:
        for name, given in redirections.items():
            if given == subprocess.PIPE:
                redirections[name] = connect[name](theirs)
        child.start(**redirections, **options)
    except BaseException:
        ends.discard()
        raise
    finally:
        for descriptor in theirs:
            os.close(descriptor)


def _check_arguments(args: tuple[object, ...], *redirections: object) -> None:
    if not args:
        raise TypeError("open_process() needs the name of a program")
    for arg in args:
        if not isinstance(arg, str | bytes | os.PathLike):
            raise TypeError(f"the program and its arguments must be strings or paths, not {type(arg).__name__}")
        if "\0" in os.fsdecode(arg):
            raise ValueError(f"the program and its arguments must not have a null character in them: {arg!r}")
    for name, value in zip(("stdin", "stdout", "stderr"), redirections, strict=True):
        allowed = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not allowed and not callable(getattr(value, "fileno", None)):
            raise TypeError(f"{name} must be a constant of subprocess, a descriptor, a file or None, not {value!r}")
        if value == subprocess.STDOUT and name != "stderr":
            raise ValueError(f"{name} cannot be subprocess.STDOUT, which is for stderr")
        if isinstance(value, int) and not subprocess.DEVNULL <= value <= MOST_DESCRIPTOR:
            raise ValueError(f"{name} must be a constant of subprocess or a descriptor, not {show_number(value)}")


def _check_environment(env: object) -> None:
    if env is None:
        return
    if not isinstance(env, Mapping):
        raise TypeError(f"env must be a mapping of names to values or None, not {type(env).__name__}")
    for name, value in env.items():
        for each in name, value:
            if not isinstance(each, str | bytes | os.PathLike):
                raise TypeError(f"env must have strings for names and values, not {type(each).__name__}")
            if "\0" in os.fsdecode(each):
                raise ValueError(f"env must not have a null character in a name or a value: {each!r}")
        if not name or "=" in os.fsdecode(name):
            raise ValueError(f"env must have names that are not empty and without an equals sign, not {name!r}")


async def _finish(writable: WritableStream[Any]) -> None:
    """Close a stream that nobody has locked; it does not matter if the child wants no more."""
    writer = writable.get_writer()
    with suppress(BrokenPipeError, TypeError):  # TypeError: somebody has begun to close it before
        if writer.desired_size is not None:
            await writer.close()
    writer.closed.add_done_callback(_look_at)
    writer.release_lock()


def _look_at(promise: Any) -> None:
    promise.exception()
