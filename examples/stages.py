"""The stages of the main job: read, decode, split into lines, filter, and a sink that is slower than all of them."""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import time
from dataclasses import dataclass

from webstreams import (
    ByteLengthQueuingStrategy,
    ReadableStream,
    ReadableStreamDefaultController,
    TransformStream,
    TransformStreamDefaultController,
    WritableStream,
)

from .files import READ_SIZE, FileSource, Input
from .monitor import Stage

# Longer lines are cut, so that a text without line ends needs no more memory than any other.
LONGEST_LINE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines in one chunk, because a chunk costs more than a line.

    `ByteLengthQueuingStrategy` measures a chunk that is no buffer by its attribute `byte_length`.
    """

    lines: list[str]
    byte_length: int

    @staticmethod
    def of(lines: list[str]) -> Lines:
        """Give the chunk of these lines; each counts as many bytes as it takes in a UTF-8 file."""
        if all(map(str.isascii, lines)):
            return Lines(lines, sum(map(len, lines)) + len(lines))
        return Lines(lines, sum(len(line.encode()) for line in lines) + len(lines))


def byte_length_of(text: str) -> int:
    """Give the length of a text in UTF-8: the size algorithm of the decoder's queue."""
    return len(text) if text.isascii() else len(text.encode())


class ByobReads:
    """An underlying source that reads a byte stream with a BYOB reader and passes the filled memory on."""

    def __init__(self, stream: ReadableStream[bytes], stage: Stage) -> None:
        self.reader = stream.get_reader(mode="byob")
        self.stage = stage

    def start(self, controller: ReadableStreamDefaultController[memoryview]) -> None:
        """Let the monitor see the queue."""
        self.stage.queue = controller

    async def pull(self, controller: ReadableStreamDefaultController[memoryview]) -> None:
        """Read one chunk; `min` has small files share one."""
        view, done = await self.reader.read(bytearray(READ_SIZE), min=READ_SIZE)
        # The last read may have got less than `min`: then there is a rest, and `done` is true.
        if view:
            self.stage.count(len(view))
            controller.enqueue(view)
        if done:
            self.stage.ended = True
            controller.close()

    async def cancel(self, reason: object) -> None:
        """Pass it on to the byte stream, which closes its file."""
        await self.reader.cancel(reason)


class Decoder:
    """A transformer from UTF-8 bytes to text; a character may be spread over two chunks."""

    def __init__(self, stage: Stage, errors: str = "strict") -> None:
        self.stage = stage
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors)

    def start(self, controller: TransformStreamDefaultController[str]) -> None:
        """Let the monitor see the queue."""
        self.stage.queue = controller

    def transform(self, chunk: memoryview, controller: TransformStreamDefaultController[str]) -> None:
        """Decode one chunk."""
        with self.stage.at_work():
            text = self.decoder.decode(chunk)
        self._give(text, controller)

    def flush(self, controller: TransformStreamDefaultController[str]) -> None:
        """Decode what is left of a character that was cut off by the end."""
        self._give(self.decoder.decode(b"", final=True), controller)
        self.stage.ended = True

    def _give(self, text: str, controller: TransformStreamDefaultController[str]) -> None:
        if text:
            self.stage.count(byte_length_of(text))
            controller.enqueue(text)


class LineSplitter:
    """A transformer from text to groups of whole lines, without their line ends."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.rest = ""

    def start(self, controller: TransformStreamDefaultController[Lines]) -> None:
        """Let the monitor see the queue."""
        self.stage.queue = controller

    def transform(self, text: str, controller: TransformStreamDefaultController[Lines]) -> None:
        """Give the lines that end in this text, and keep the beginning of the next one."""
        with self.stage.at_work():
            lines = (self.rest + text).split("\n")
            self.rest = lines.pop()
            if len(self.rest) > LONGEST_LINE:
                lines.append(self.rest)
                self.rest = ""
            group = Lines.of(lines)
        self._give(group, controller)

    def flush(self, controller: TransformStreamDefaultController[Lines]) -> None:
        """Give the last line if no line end follows it."""
        self._give(Lines.of([self.rest] if self.rest else []), controller)
        self.stage.ended = True

    def _give(self, group: Lines, controller: TransformStreamDefaultController[Lines]) -> None:
        if group.lines:
            self.stage.count(group.byte_length)
            controller.enqueue(group)


class LineFilter:
    """A transformer that drops the lines that `is_wanted` does not want."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def start(self, controller: TransformStreamDefaultController[Lines]) -> None:
        """Let the monitor see the queue."""
        self.stage.queue = controller

    def transform(self, group: Lines, controller: TransformStreamDefaultController[Lines]) -> None:
        """Pass on what is left of a group, if anything is."""
        with self.stage.at_work():
            kept = Lines.of([line for line in group.lines if is_wanted(line)])
        if kept.lines:
            self.stage.count(kept.byte_length)
            controller.enqueue(kept)

    def flush(self, controller: TransformStreamDefaultController[Lines]) -> None:
        """Tell the monitor."""
        self.stage.ended = True


def is_wanted(line: str) -> bool:
    """Whether a line is neither blank nor a comment."""
    start = line.lstrip()[:1]
    return start not in {"", "#"}


class SlowSink:
    """An underlying sink that takes its time, as a slow disk or network would; it keeps a digest of all it got."""

    def __init__(self, stage: Stage, bytes_per_second: float) -> None:
        self.stage = stage
        self.bytes_per_second = bytes_per_second
        self.lines = 0
        self.digest = hashlib.sha256()
        self._free_at = 0.0

    async def write(self, group: Lines, controller: object) -> None:
        """Take one group of lines."""
        with self.stage.at_work():
            self.digest.update(("\n".join(group.lines) + "\n").encode())
            await self._take_time(group.byte_length)
        self.lines += len(group.lines)
        self.stage.count(group.byte_length)

    async def _take_time(self, size: int) -> None:
        """Keep to the speed on average: a sleep that was too long makes the next one shorter."""
        now = time.monotonic()
        self._free_at = max(self._free_at, now - 0.1) + size / self.bytes_per_second
        if self._free_at > now:
            await asyncio.sleep(self._free_at - now)


async def write_all(groups: ReadableStream[Lines], sink: WritableStream[Lines], stage: Stage) -> None:
    """Write every group, one as soon as the sink's queue has room for it.

    It is what ``pipe_to()`` does, by hand: `stage` shows the writer's `desired_size`, and a pipe keeps its writer to
    itself. The sink is closed in the end, or aborted when the groups end with an error; they are cancelled when
    writing fails or the task is cancelled.
    """
    async with sink.get_writer() as writer, groups.values() as chunks:
        stage.queue = writer
        try:
            async for group in chunks:
                await writer.ready
                # Not awaited, or the queue would never hold more than one. `ready` raises the sink's errors.
                writer.write(group).then(None, lambda error: None)
        finally:
            stage.queue = None


class Pipeline:
    """The whole pipeline, and what its monitor shows."""

    def __init__(self, files: Input, bytes_per_second: float) -> None:
        self.read = Stage("read", 256 * 1024)
        self.decode = Stage("decode", 256 * 1024)
        self.split = Stage("split", 128 * 1024)
        self.filter = Stage("filter", 128 * 1024)
        self.write = Stage("sink", 128 * 1024)
        self.stages = [self.read, self.decode, self.split, self.filter, self.write]
        self.source = FileSource(files, self.read)
        self.sink = SlowSink(self.write, bytes_per_second)

    async def run(self) -> None:
        """Let everything through; raises what the source raised."""
        byte_stream = ReadableStream(self.source)
        chunks: ReadableStream[memoryview] = ReadableStream(ByobReads(byte_stream, self.read), in_bytes(self.read))
        decoder: TransformStream[memoryview, str] = TransformStream(
            Decoder(self.decode, errors="replace"),
            readable_strategy={"high_water_mark": self.decode.high_water_mark, "size": byte_length_of},
        )
        splitter: TransformStream[str, Lines] = TransformStream(
            LineSplitter(self.split), readable_strategy=in_bytes(self.split)
        )
        line_filter: TransformStream[Lines, Lines] = TransformStream(
            LineFilter(self.filter), readable_strategy=in_bytes(self.filter)
        )
        sink: WritableStream[Lines] = WritableStream(self.sink, in_bytes(self.write))
        groups = chunks.pipe_through(decoder).pipe_through(splitter).pipe_through(line_filter)
        await write_all(groups, sink, self.write)


def in_bytes(stage: Stage) -> ByteLengthQueuingStrategy:
    """Give the queuing strategy of a stage that counts bytes."""
    return ByteLengthQueuingStrategy(high_water_mark=stage.high_water_mark)
