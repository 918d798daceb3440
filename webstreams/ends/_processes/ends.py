"""Our ends of the pipes to and from a child."""

from __future__ import annotations

import os
import signal
from functools import partial
from weakref import ref

from .child import Child
from .pipe_ends import PipeSink, PipeSource, open_end


class Ends:
    """Our ends of the pipes."""

    def __init__(self, child: Child) -> None:
        self._child = child
        # Whether output was dropped that nobody had read to its end.
        self.was_dropped: bool = False
        self.stdin: PipeSink | None = None
        self.stdout: PipeSource | None = None
        self.stderr: PipeSource | None = None

    @property
    def tells_nobody(self) -> bool:
        """Whether no reading end tells of a failure."""
        return self.stdout is None and self.stderr is None

    @property
    def has_told(self) -> bool:
        """Whether a reader was told of a failure, or has said that it does not want to know more."""
        return any(source is not None and source.has_told for source in (self.stdout, self.stderr))

    def connect_stdin(self, theirs: list[int]) -> int:
        """Make a pipe; return the end of the child."""
        reading, writing = os.pipe()
        theirs.append(reading)
        self.stdin = PipeSink(open_end(writing, "wb"), self._input_failed)
        return reading

    def connect_stdout(self, theirs: list[int]) -> int:
        """Make a pipe; return the end of the child."""
        reading, writing = os.pipe()
        theirs.append(writing)
        self.stdout = PipeSource(open_end(reading, "rb"), self._child.verdict if self._child.check else None)
        return writing

    def connect_stderr(self, theirs: list[int]) -> int:
        """Make a pipe; return the end of the child."""
        reading, writing = os.pipe()
        theirs.append(writing)
        is_verdict_here = self._child.check and self.stdout is None
        self.stderr = PipeSource(open_end(reading, "rb"), self._child.verdict if is_verdict_here else None)
        return writing

    def watch(self) -> None:
        """The child runs: let go of its input when it has ended."""
        if self.stdin is not None:
            self._child.exited.then(partial(_reader_has_gone, ref(self.stdin)))

    def discard(self) -> None:
        """Close all pipes; there are no streams yet."""
        for source in (self.stdout, self.stderr):
            if source is not None:
                source.cancel(None)
        if self.stdin is not None:
            self.stdin.close()

    def fail_writer(self, reason: object) -> None:
        """Close the pipe to the child; its stream fails if it is open."""
        if self.stdin is not None:
            self.stdin.fail(reason)

    def fail_readers(self, reason: object) -> None:
        """Close the pipes from the child; their streams fail if they are open."""
        for source in (self.stdout, self.stderr):
            if source is not None and source.fail(reason):
                self.was_dropped = True

    def _input_failed(self, reason: object) -> None:
        self._child.send_signal(signal.SIGKILL)
        self.fail_readers(reason)


def _reader_has_gone(sink: ref[PipeSink], _: int) -> None:
    """Close the pipe to a child that has ended; the waiting for the child does not keep the pipe open."""
    found = sink()
    if found is not None:
        found.reader_has_gone()
