"""Child processes: their standard streams, and a process as a stage of a pipe."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from subprocess import PIPE, CalledProcessError
from types import TracebackType
from typing import IO, Any, Final, Self, TypeAlias, cast
from weakref import ref

from typing_extensions import Buffer

from .._errors import AbortError
from .._promise import Promise
from .._readable.stream import ReadableStream
from .._writable.stream import WritableStream
from ._bytes import bytes_strategy
from ._pipes import PipeSink, PipeSource
from ._threads import in_thread

__all__ = ["Process", "open_process"]

StrOrBytesPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
# What a standard stream of the child is: `subprocess.PIPE`, `DEVNULL`, `STDOUT`, a descriptor, a file, or as ours.
Redirection: TypeAlias = int | IO[Any] | None

# The options of `subprocess.Popen` that would change what the streams are.
REFUSED: Final = {"bufsize", "encoding", "errors", "shell", "text", "universal_newlines"}


async def open_process(
    program: StrOrBytesPath,
    *args: StrOrBytesPath,
    stdin: Redirection = PIPE,
    stdout: Redirection = PIPE,
    stderr: Redirection = None,
    check: bool = True,
    cwd: StrOrBytesPath | None = None,
    env: Mapping[str, str] | None = None,
    **options: Any,
) -> Process:
    """Start a child process whose standard streams are streams; no shell is involved.

    `stdin`, `stdout` and `stderr` are what `subprocess.Popen` takes. By default the first two are pipes, and what the
    child writes to its error output goes where ours goes. The other options of `Popen` are passed on
    (`start_new_session`, `pass_fds`, ...).

    With `check`, `Process.stdout` ends when the child has exited, and with `subprocess.CalledProcessError` after the
    last byte if its status is not 0 or a signal has killed it. Without, it ends when the child closes its output.

    Raises the `OSError` of the system if the program cannot be started (`FileNotFoundError`, ...), and `TypeError` for
    `shell` and for options that make text of the streams.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> async def main() -> None:
    ...     async with await open_process("tr", "a-z", "A-Z") as process:
    ...         async for chunk in ReadableStream.from_([b"slow and steady"]).pipe_through(process):
    ...             print(chunk)
    >>> asyncio.run(main())
    b'SLOW AND STEADY'
    """
    refused = REFUSED & options.keys()
    if refused:
        raise TypeError(f"open_process() does not take {', '.join(sorted(refused))}")
    command = [program, *args]
    child = subprocess.Popen(
        command, bufsize=0, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, env=env, **options
    )
    return Process(child, command, check)


class Process:
    """A child process; made by `open_process`.

    ``stream.pipe_through(process)`` writes the stream to its input and gives its output.

    - Backpressure is true: of the output nothing is read before somebody reads the stream, so that a child whose pipe
      is full (64 KiB on Linux) waits. That holds for `stderr`, too: read it if you make a pipe of it, or the child
      waits for ever.
    - `stdout` and `stderr` are byte streams; a BYOB reader has its own memory filled, a default reader gets `bytes` of
      at most 64 KiB. Cancelling one closes the pipe, and a child that goes on writing gets SIGPIPE.
    - A chunk for `stdin` is any bytes-like object; ``write()`` is done when the pipe has taken all of it. When nobody
      reads the pipe any more, the stream is errored with `BrokenPipeError`, at the latest when the child has exited.
    - Aborting `stdin` kills the child, and its `stdout` fails with the reason: otherwise the child would take what it
      has got for the whole, and its output would look complete. (Closing the stream is what tells the child the end.)

    ``async with process:`` leaves no child behind. At the end of the block, `stdin` is closed, what is unread is
    cancelled, and the child's exit is waited for. When the block raises or is cancelled, also while it waits, the child
    is killed and what is open of its streams fails with an `AbortError`.
    """

    def __init__(self, popen: subprocess.Popen[bytes], command: list[StrOrBytesPath], check: bool) -> None:
        self._child = _Child(popen, command, check)
        # The streams own the pipes: Popen would keep them open.
        pipes, popen.stdin, popen.stdout, popen.stderr = (popen.stdin, popen.stdout, popen.stderr), None, None, None
        self._output = _source(pipes[1], self._child.outcome)
        self._errors = _source(pipes[2], Promise.resolve)
        self._input = None if pipes[0] is None else PipeSink(cast(io.FileIO, pipes[0]), self._input_was_aborted)
        self._stdin: WritableStream[Buffer] | None = None
        if self._input is not None:
            self._stdin = WritableStream(self._input, bytes_strategy())
            self._child.tell(self._input)
        self._stdout = None if self._output is None else ReadableStream(self._output)
        self._stderr = None if self._errors is None else ReadableStream(self._errors)
'''
