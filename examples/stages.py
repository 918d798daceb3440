"""The pipeline of the main job: bytes in, the lines that are wanted out, compressed into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from webstreams import (
    CompressionStream,
    DecompressionStream,
    ReadableStream,
    TextDecoderStream,
    TextEncoderStream,
    TransformStream,
    TransformStreamDefaultController,
    lines,
)
from webstreams.ends.files import write_file

from .monitor import Stage

# The first bytes of every gzip file.
GZIP_MAGIC = b"\x1f\x8b"


class Pipeline:
    """All stages, and what their monitor shows of them."""

    def __init__(self, source: str, is_compressed: bool) -> None:
        self.is_compressed = is_compressed
        self.source = Stage(source, waits=True)
        self.decompress = Stage("decompress", waits=True)
        self.decode = Stage("decode")
        self.lines = Stage("lines")
        self.filter = Stage("filter")
        self.encode = Stage("encode")
        self.compress = Stage("compress")
        # Nothing waits behind the last one: what it has taken is written.
        self.write = Stage("write file", after=self.compress)

    @property
    def stages(self) -> list[Stage]:
        """All stages in their order."""
        first = [self.source, self.decompress] if self.is_compressed else [self.source]
        return [*first, self.decode, self.lines, self.filter, self.encode, self.compress, self.write]

    async def run(self, file: ReadableStream[bytes], output: Path) -> None:
        """Let a file through; `output` appears when all of it is there."""
        data = watched(file, self.source)
        if self.is_compressed:
            data = watched(data.pipe_through(DecompressionStream("gzip", concatenated=True)), self.decompress)
        text = watched(data.pipe_through(TextDecoderStream()), self.decode)
        each = watched(text.pipe_through(lines(keep_ends=True)), self.lines)
        kept = watched(each.pipe_through(TransformStream({"transform": keep_wanted})), self.filter)
        encoded = watched(kept.pipe_through(TextEncoderStream()), self.encode)
        compressed = watched(encoded.pipe_through(CompressionStream("gzip")), self.compress)
        await compressed.pipe_to(write_file(output))


def keep_wanted(line: str, controller: TransformStreamDefaultController[str]) -> None:
    """Drop blank lines, comments, and what a log tells for debugging only."""
    if " DEBUG " not in line and line.lstrip()[:1] not in {"", "#"}:
        controller.enqueue(line)


def watched(stream: ReadableStream[Any], stage: Stage) -> ReadableStream[Any]:
    """Put a queue behind a stage, which lets everything through as it is and can be looked at meanwhile."""
    gauge: TransformStream[Any, Any] = TransformStream(
        Gauge(stage), readable_strategy={"high_water_mark": stage.high_water_mark, "size": len}
    )
    return stream.pipe_through(gauge)


class Gauge:
    """A transformer that changes nothing and counts what comes by."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def start(self, controller: TransformStreamDefaultController[Any]) -> None:
        """Let the monitor see the queue."""
        self.stage.queue = controller

    def transform(self, chunk: Any, controller: TransformStreamDefaultController[Any]) -> None:
        """Count a chunk."""
        self.stage.count(len(chunk))
        controller.enqueue(chunk)

    def flush(self, controller: TransformStreamDefaultController[Any]) -> None:
        """Tell the monitor that nothing more comes."""
        self.stage.ended = True
