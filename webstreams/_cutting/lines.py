"""Cuts text or bytes into lines: many at once, where they are short."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final, Generic

from typing_extensions import TypeVar

from .._platform.buffer import is_bytes_like, wrong_chunk
from .._text.decoders import as_bytes
from ..consumers import LimitExceeded, checked_limit

T = TypeVar("T", str, bytes)

# So much is cut at once (characters or bytes): some thousand lines at most, in less than a millisecond.
_WINDOW: Final = 16 * 1024
# So much is searched at once for the end of a longer line.
_FAR: Final = 1 << 20


def line_cutter(keep_ends: Any, limit: Any, newline: Any) -> LineCutter:
    """Return a cutter; TypeError and ValueError for a limit or a newline that cannot be one."""
    if newline is not None:
        if not isinstance(newline, str):
            raise TypeError(f"newline must be a str or None, not {type(newline).__name__}")
        if not newline:
            raise ValueError("newline must not be empty: leave it out to cut at every end of a line")
    return LineCutter(bool(keep_ends), checked_limit(limit), newline)


class LineCutter:
    """The codec of `lines` (`demand_driven.Codec`), for the type of the first chunk."""

    __slots__ = ("__weakref__", "_keep_ends", "_limit", "_lines", "_newline", "failure")

    def __init__(self, keep_ends: bool, limit: int | None, newline: str | None) -> None:
        self._keep_ends = keep_ends
        self._limit = limit
        self._newline = newline
        self._lines: Any = None
        # An error is raised by the step behind the last line that was right.
        self.failure: Exception | None = None

    @property
    def used_up(self) -> bool:
        """Whether all lines of the chunk have been returned."""
        return self._lines is None or bool(self._lines.used_up)

    def take(self, chunk: Any) -> None:
        """Accept a chunk of the type of the first one."""
        is_text = isinstance(chunk, str)
        if not is_text and not is_bytes_like(chunk):
            raise wrong_chunk(chunk, wanted="a str or a bytes-like object")
        if self._lines is None:
            self._lines = self._make_lines(is_text)
        if is_text is not self._lines.is_text:
            raise wrong_chunk(chunk, wanted="a str" if self._lines.is_text else "a bytes-like object")
        self._lines.take(chunk if is_text else as_bytes(chunk))

    def is_quick(self) -> bool:
        """Say yes: a step is short."""
        return True

    def step(self) -> list[Any]:
        """Return the next lines, if there are any in what is looked at in one step."""
        lines: list[Any] = self._lines.step()
        return lines

    def finish(self) -> list[Any]:
        """Return the last line, if there is one."""
        return [] if self._lines is None else self._lines.finish()

    def _make_lines(self, is_text: bool) -> Any:
        newline = self._newline
        if newline is None:
            return UniversalLines("" if is_text else b"", self._keep_ends, self._limit)
        end = newline if is_text else newline.encode("utf-8", "surrogatepass")
        return LinesUpTo(end, self._keep_ends, self._limit)


class _Lines(Generic[T]):
    """What has no end yet, and how long it may get."""

    __slots__ = ("_data", "_error", "_keep_ends", "_limit", "_nothing", "_parts", "_position", "_size", "is_text")

    def __init__(self, nothing: Any, keep_ends: bool, limit: int | None) -> None:
        self._nothing: T = nothing
        self.is_text = isinstance(nothing, str)
        self._keep_ends = keep_ends
        self._limit = limit
        # The chunk, and where its next line begins.
        self._data: T = nothing
        self._position = 0
        # The beginning of a line.
        self._parts: list[T] = []
        self._size = 0
        self._error: LimitExceeded | None = None

    @property
    def used_up(self) -> bool:
        return self._position == len(self._data) and self._error is None

    def step(self) -> list[T]:
        """Return the lines that end in the next part of the chunk."""
        if self._error is not None:
            raise self._error
        lines, end = self._cut(self._data, self._position)
        if not lines:
            self._keep_up_to(end)
        elif self._parts:
            self._parts.append(lines[0])
            lines[0] = self._take_kept()
        self._position = end
        if end == len(self._data):
            self._data = self._nothing
            self._position = 0
        return lines if self._limit is None else self._checked(lines, self._limit)

    def _cut(self, data: T, start: int) -> tuple[list[T], int]:
        """Return some of the next lines and where they end; without lines, up to where there is none."""
        raise NotImplementedError

    def _bare_length(self, line: T) -> int:
        """Return the length of a line without its end."""
        raise NotImplementedError

    def _keep_up_to(self, end: int) -> None:
        """Keep a part of the chunk in which no line ends."""
        self._keep(self._data[self._position : end])

    def _keep(self, part: T) -> None:
        if part:
            self._parts.append(part)
            self._size += len(part)

    def _take_kept(self) -> T:
        parts, self._parts, self._size = self._parts, [], 0
        return self._nothing.join(parts)

    def _checked(self, lines: list[T], limit: int) -> list[T]:
        """Return the lines up to one that is too long; what comes next is the error then."""
        if lines and max(map(len, lines)) > limit:
            for index, line in enumerate(lines):
                if self._bare_length(line) > limit:
                    return self._up_to_error(lines[:index], limit)
        return self._up_to_error(lines, limit) if self._size > limit else lines

    def _up_to_error(self, lines: list[T], limit: int) -> list[T]:
        self._error = LimitExceeded("a line", limit, "characters" if self.is_text else "bytes")
        if not lines:
            raise self._error
        return lines


class UniversalLines(_Lines[T]):
    r"""Lines that end with ``\n``, ``\r\n`` or ``\r``."""

    __slots__ = ("_both", "_feed", "_has_returns", "_last_may_end", "_return", "_split")

    def __init__(self, nothing: Any, keep_ends: bool, limit: int | None) -> None:
        super().__init__(nothing, keep_ends, limit)
        self._feed: Any = "\n" if self.is_text else b"\n"
        self._return: Any = "\r" if self.is_text else b"\r"
        self._both = self._return + self._feed
        self._split: Callable[[Any], list[Any]] = self._split_text if self.is_text else self._split_bytes
        self._has_returns = False
        # Whether a carriage return was the last thing that came, and a line feed may belong to it.
        self._last_may_end = False

    def take(self, chunk: T) -> None:
        """Accept the next chunk."""
        if not chunk:
            return
        self._position = 0
        if self._last_may_end:
            self._last_may_end = False
            if self._keep_ends:
                chunk = self._return + chunk
            elif chunk[:1] == self._feed:
                self._position = 1
        if chunk[-1:] == self._return:
            self._last_may_end = True
            if self._keep_ends:
                chunk = chunk[:-1]
        self._has_returns = self._return in chunk
        self._data = chunk

    def _cut(self, data: Any, start: int) -> tuple[list[T], int]:
        end = self._end_of_last(data, start, start + _WINDOW)
        if end <= start:
            far = start + _FAR
            end = self._end_of_first(data, start + _WINDOW, far)
            if end == 0:
                return [], min(far, len(data))
        if self._has_returns and data[end - 1 : end + 1] == self._both:
            end += 1
        return self._split(data[start:end]), end

    def _end_of_last(self, data: Any, start: int, stop: int) -> int:
        """Return where the last line ends that does so in a part of the data; 0 if there is none."""
        end: int = data.rfind(self._feed, start, stop)
        if self._has_returns:
            end = max(end, data.rfind(self._return, start, stop))
        return end + 1

    def _end_of_first(self, data: Any, start: int, stop: int) -> int:
        """Return where the first line ends that does so in a part of the data; 0 if there is none."""
        end: int = data.find(self._feed, start, stop)
        if self._has_returns:
            other = data.find(self._return, start, stop if end < 0 else end)
            end = end if other < 0 else other
        return end + 1

    def _split_bytes(self, data: bytes) -> list[bytes]:
        return data.splitlines(self._keep_ends)

    def _split_text(self, text: str) -> list[str]:
        if self._keep_ends:
            return io.StringIO(text, newline="").readlines()
        if self._has_returns:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.split("\n")
        lines.pop()  # there is nothing behind the last end
        return lines

    def _bare_length(self, line: Any) -> int:
        return len(line.rstrip(self._both)) if self._keep_ends else len(line)

    def finish(self) -> list[T]:
        """Return the last line, if there is one."""
        waits = self._last_may_end and self._keep_ends
        return [self._take_kept() + self._return if waits else self._take_kept()] if waits or self._parts else []


class LinesUpTo(_Lines[T]):
    """Lines that end with a text of the user's."""

    __slots__ = ("_end", "_tail", "_window")

    def __init__(self, end: Any, keep_ends: bool, limit: int | None) -> None:
        super().__init__(end[:0], keep_ends, limit)
        self._end: T = end
        self._window = max(_WINDOW, 4 * len(end))
        # What may be the beginning of an end.
        self._tail: T = end[:0]

    def take(self, chunk: T) -> None:
        """Accept the next chunk."""
        if chunk:
            self._data = self._tail + chunk if self._tail else chunk
            self._tail = self._nothing
            self._position = 0

    def _keep_up_to(self, end: int) -> None:
        rest = self._data[self._position : end]
        if end == len(self._data):
            size = self._size_of_tail(rest)
            self._tail = rest[len(rest) - size :]
            rest = rest[: len(rest) - size]
        self._keep(rest)

    def _size_of_tail(self, rest: Any) -> int:
        """Return how much of the end of a chunk may be the beginning of the end of a line."""
        end: Any = self._end
        sizes = range(min(len(end) - 1, len(rest)), 0, -1)
        return next((size for size in sizes if rest.endswith(end[:size])), 0)

    def _cut(self, data: Any, start: int) -> tuple[list[T], int]:
        end: Any = self._end
        stop = data.rfind(end, start, start + self._window)
        if stop < 0:
            near, far = start + self._window - len(end) + 1, start + self._window + _FAR
            stop = data.find(end, near, far)
            if stop < 0:
                return [], len(data) if far >= len(data) else far - len(end) + 1
        stop += len(end)
        *lines, rest = data[start:stop].split(end)
        # What can be cut in two ways is cut from the left, so something may be left over.
        return [line + end for line in lines] if self._keep_ends else lines, stop - len(rest)

    def _bare_length(self, line: T) -> int:
        return len(line) - len(self._end) if self._keep_ends else len(line)

    def finish(self) -> list[T]:
        """Return the last line, if there is one."""
        self._keep(self._tail)
        if self._limit is not None and self._size > self._limit:
            self._up_to_error([], self._limit)
        return [self._take_kept()] if self._parts else []
