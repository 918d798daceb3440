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
from webstreams.observe import StageStatistics, label, observe

# The first bytes of every gzip file.
GZIP_MAGIC = b"\x1f\x8b"


class Filtering:
    """A file on its way through the stages; `output` appears when all of it is there."""

    def __init__(self, source: str, file: ReadableStream[bytes], is_compressed: bool, output: Path) -> None:
        label(file, source)
        data = file
        if is_compressed:
            data = data.pipe_through(named(DecompressionStream("gzip", concatenated=True), "decompress"))
        text = data.pipe_through(named(TextDecoderStream(), "decode"))
        each = text.pipe_through(named(lines(keep_ends=True), "lines"))
        kept = each.pipe_through(named(TransformStream({"transform": keep_wanted}), "filter"))
        encoded = kept.pipe_through(named(TextEncoderStream(), "encode"))
        compressed = encoded.pipe_through(named(CompressionStream("gzip"), "compress"))
        self.done = compressed.pipe_to(named(write_file(output), "write file"))
        self.observed = observe(self.done, name=source)

    def stage(self, name: str) -> StageStatistics:
        """Return what a stage has done."""
        return next(stage for stage in self.observed.stages if stage.name == name)


def named(stage: Any, name: str) -> Any:
    """Label a stage, and return it."""
    label(stage, name)
    return stage


def keep_wanted(line: str, controller: TransformStreamDefaultController[str]) -> None:
    """Drop blank lines, comments, and what a log tells for debugging only."""
    if " DEBUG " not in line and line.lstrip()[:1] not in {"", "#"}:
        controller.enqueue(line)
