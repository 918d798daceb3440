"""Where the bytes of the main job come from: files, opened one after another, and the byte source that reads them."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Literal

from webstreams import ReadableByteStreamController

from .monitor import Stage

READ_SIZE = 64 * 1024

Walk = Callable[[], Iterator[Path]]


class BadInputError(Exception):
    """The input cannot be read; the message says which and why."""


def walk_of(path: Path | None) -> Walk:
    """Give the function that walks over the files of the job: those of `path`, or of the standard library.

    Raises `BadInputError` when there is nothing to read.
    """
    if path is None:
        path = Path(sysconfig.get_path("stdlib"))
        walk: Walk = lambda: library_sources(path)  # noqa: E731
    else:
        walk = lambda: files_under(path)  # noqa: E731
    try:
        if path.is_dir():
            os.scandir(path).close()
        elif path.is_file():
            path.open("rb").close()
        else:
            path.stat()
            raise BadInputError(f"{path} is neither a file nor a directory")
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error
    if next(walk(), None) is None:
        raise BadInputError(f"there are no files in {path}")
    return walk


def files_under(path: Path, skip: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Walk over a file, or over all regular files of a directory, but for the subdirectories named in `skip`."""
    if path.is_file():
        yield path
        return
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = sorted(set(subfolders) - skip)
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file():
                yield file


def library_sources(path: Path) -> Iterator[Path]:
    """Walk over the Python files of the standard library at `path`."""
    for file in files_under(path, frozenset({"site-packages", "dist-packages", "__pycache__"})):
        if file.suffix == ".py":
            yield file


class Input:
    """The files of a walk, opened one after another: once all, then again until they held `at_least` bytes."""

    def __init__(self, walk: Walk, at_least: int = 0) -> None:
        self.walk = walk
        self.at_least = at_least
        self.opened = 0
        self.skipped = 0

    def __iter__(self) -> Iterator[FileIO]:
        """Open the files; the caller closes them."""
        total = 0
        while True:
            before = total
            for path in self.walk():
                if self.opened and before and total >= self.at_least:
                    return
                file = self._open(path)
                if file is not None:
                    total += os.fstat(file.fileno()).st_size
                    yield file
            if total == before or total >= self.at_least:
                return

    def _open(self, path: Path) -> FileIO | None:
        try:
            file = FileIO(path)
        except OSError:
            self.skipped += 1
            return None
        self.opened += 1
        return file


class FileSource:
    """An underlying byte source: reads files straight into the memory that a BYOB reader has brought.

    Its high-water mark is 0, the default of byte streams: without a read that waits there is no pull, so nothing ever
    lies in the queue of this stream. Regular files answer within microseconds; a source for something slower (a
    socket, a pipe) would await here.
    """

    type: Literal["bytes"] = "bytes"
    # A default reader works too: it gets memory of this size.
    auto_allocate_chunk_size = READ_SIZE

    def __init__(self, files: Input, stage: Stage) -> None:
        self.stage = stage
        self._files = iter(files)
        self._file: FileIO | None = None

    def pull(self, controller: ReadableByteStreamController) -> None:
        """Fill the view of the pending request, or close the stream after the last file."""
        request = controller.byob_request
        assert request is not None and request.view is not None
        with self.stage.at_work():
            count = self._read_into(request.view)
        if count == 0:
            controller.close()
        request.respond(count)

    def cancel(self, reason: object) -> None:
        """Close the file that is open."""
        if self._file is not None:
            self._file.close()

    def _read_into(self, view: memoryview) -> int:
        """Give the number of bytes read, 0 after the last file."""
        while True:
            if self._file is None:
                self._file = next(self._files, None)
                if self._file is None:
                    return 0
            count = self._file.readinto(view)
            if count:
                return count
            self._file.close()
            self._file = None
