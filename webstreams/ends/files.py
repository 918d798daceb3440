"""Files: read as a byte stream, and written by a stream that never shows a half-written file."""

from __future__ import annotations

import os
from typing import Final, SupportsIndex, get_args

from typing_extensions import Buffer

from .._platform.arguments import checked_path, checked_seconds, checked_size
from .._streams.readable.stream import ReadableStream
from .._streams.writable.stream import WritableStream
from ._bytes import bytes_strategy
from ._files.following import FollowedFileSource
from ._files.sinks import FileSink, Mode
from ._files.sources import READ_AHEAD, FileSource, TruncatedFileError

__all__ = ["TruncatedFileError", "read_file", "write_file"]

MODES: Final[tuple[str, ...]] = get_args(Mode)

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def read_file(
    path: Path,
    *,
    start: SupportsIndex = 0,
    end: SupportsIndex | None = None,
    follow: bool = False,
    chunk_size: SupportsIndex = READ_AHEAD,
    interval: float = 0.1,
) -> ReadableStream[bytes]:
    """Read a file as a byte stream, from the byte `start` up to the byte `end` (exclusive; by default all).

    - A default reader gets `bytes`, at most `chunk_size` at a time (by default 256 KiB); a BYOB reader has its own
      memory filled, without a copy. Nothing is read before somebody reads, and at most 256 KiB (or one chunk, if that
      is more) ahead.
    - The file is opened by the first read, and closed when the stream is at its end, fails or is cancelled. All this
      happens in threads.
    - What the system reports comes out of the read as the `OSError` that it is (`FileNotFoundError`, ...). A file that
      ends before `end`, or was made shorter after it was opened, raises `TruncatedFileError` (which is both
      an `OSError` and an `EOFError`) after the last byte.
    - With `follow` the end of the file is not the end of the stream, as with ``tail -F``: every `interval` seconds
      there is a look whether there is more. The stream ends at `end`, if that is given, or at once by ``cancel()``.
      A file that was written anew (it is shorter than what was read, or its first or last KiB that was read is
      different now) is read again from its beginning. When another file takes the name, the old one is read until the
      new one has something and the old one has had nothing for three looks (at the latest for 50 looks), then the new
      one from its beginning; while nothing has the name, it waits; one that may not be opened yet (it gets its owner
      and permissions later, or too many files are open) is tried again for 50 looks. So no byte is lost of a log that
      is rotated by renaming, if each file has the name for longer than `interval`; of one that is copied and truncated,
      only what was not read yet when it was truncated.
    - A FIFO or a terminal is read until its other end is closed (with `follow`, the next writer is waited for). It can
      be cancelled while it waits.

    Raises `TypeError` for arguments of other types, and `ValueError` for a negative `start`, an `end` before `start`,
    a `chunk_size` below 1, and an `interval` that is not above 0.

    >>> import asyncio, tempfile
    >>> async def main() -> None:
    ...     with tempfile.TemporaryDirectory() as directory:
    ...         writer = write_file(f"{directory}/name").get_writer()
    ...         await writer.write(b"slow and steady")
    ...         await writer.close()
    ...         async for chunk in read_file(f"{directory}/name", start=5, end=8):
    ...             print(chunk)
    >>> asyncio.run(main())
    b'and'
    """
    first, last = _checked_range(start, end)
    size = checked_size(chunk_size, "chunk_size", 1)
    if not checked_seconds(interval, "interval", finite=True):
        raise ValueError("interval must be above 0 seconds")
    source = (FollowedFileSource if follow else FileSource)(checked_path(path, "path"), first, last, size)
    source.interval = interval
    return ReadableStream(source)


def _checked_range(start: SupportsIndex, end: SupportsIndex | None) -> tuple[int, int | None]:
    first = checked_size(start, "start")
    last = None if end is None else checked_size(end, "end")
    if last is not None and last < first:
        raise ValueError(f"end must not be before start, byte {first}, is {last}")
    return first, last


def write_file(path: Path, *, mode: Mode = "replace", fsync: bool = False) -> WritableStream[Buffer]:
    """Write a file. No other program ever sees a part of it under its name, with the first two modes.

    - ``mode="replace"`` writes a new file in the same directory, which takes the name, and the place of the file that
      had it, when the stream is closed. It gets the permissions of the old file, its owner, access control list and
      other extended attributes (on Linux), as far as that is allowed, and never more permissions than that, also if
      they are changed while the new one is written; or those that the umask leaves to a new one. A symbolic link
      stays, and what it links to is replaced; other hard links keep the old file.
    - ``mode="create"`` does the same for a name that must not exist: `FileExistsError`, at the beginning or from
      ``close()`` if somebody else was faster.
    - ``mode="append"`` writes behind what the file has; it is made if there is none. Each chunk is there when it is
      written, and stays when the stream is aborted: what others appended meanwhile could not be told from it.
    - ``mode="in_place"`` writes into the file itself, which keeps all that it has: hard links, owner, attributes. It
      is for what cannot be replaced, such as files of ``/proc``, files that are mounted by themselves (as into
      containers), and those in a directory that is read-only; it is made if there is none. The old content goes when
      the first chunk is written (or, without one, at ``close()``). After an abort, a failure or a crash the file has
      the beginning of the new content, as far as it was written, and nothing of the old one; others see it meanwhile.
    - When a write fails (a full disk: `OSError` with the errno ``ENOSPC``), or the stream is aborted or dropped,
      a new file is removed and the old one stays as it was.
    - The new file has a name that begins with a dot and ends in ``.webstreams.tmp``. A process that is killed, by
      SIGKILL, or by SIGTERM as long as that has its default action, runs no code any more, so it leaves this file (and
      the old one as it was): it is removed when somebody writes the same file again. What another process is writing
      is never removed, where the file system has locks (``flock``). To leave nothing after a SIGTERM, cancel the main
      task: ``loop.add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)``.
    - With `fsync`, ``close()`` waits until the file and its name are safe on the disk.
    - Anything other than a regular file (a FIFO, a terminal, ``/dev/null``) is written in place, in every mode.

    A chunk is any bytes-like object, written completely, in a thread. ``write()`` is done when the system has taken it;
    of a new file, which nobody sees before the end, when no more than 256 KiB wait for the thread, and what goes wrong
    then shows at the next write or in ``close()``. The file is opened with the first write, which waits for that
    (a pipe, and a stream that was told to close by then, wait for the end only), or a moment after the stream was made,
    when the threads have nothing else to do, at the latest after a second. Errors are the `OSError` of the system, with
    `path` as `filename`. Raises `TypeError` for a `path` that is none, `ValueError` for another `mode`.

    >>> import asyncio, os, tempfile
    >>> from webstreams import ReadableStream
    >>> async def main() -> None:
    ...     with tempfile.TemporaryDirectory() as directory:
    ...         await ReadableStream.from_([b"slow ", b"and ", b"steady"]).pipe_to(write_file(f"{directory}/name"))
    ...         print(os.listdir(directory), await read_file(f"{directory}/name").bytes())
    >>> asyncio.run(main())
    ['name'] b'slow and steady'
    """
    if mode not in MODES:
        raise ValueError(f'mode must be "replace", "create", "append" or "in_place", not {mode!r}')
    name = checked_path(path, "path")
    return WritableStream(FileSink(name if isinstance(name, str) else os.fsdecode(name), mode, fsync), bytes_strategy())
