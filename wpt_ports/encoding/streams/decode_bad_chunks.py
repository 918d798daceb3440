"""Port of encoding/streams/decode-bad-chunks.any.js."""

from __future__ import annotations

from functools import partial
from typing import Any

from webstreams.encoding import TextDecoderStream
from wpt_ports.harness import Test, add_port, promise_rejects_js

# undefined and null are both None.
BAD_CHUNKS: list[tuple[str, Any]] = [
    ("undefined", None),
    ("null", None),
    ("numeric", 3.14),
    ("object, not BufferSource", object()),
    ("array", [65]),
]


async def chunk_errors_the_stream(chunk: Any, t: Test) -> None:
    stream = TextDecoderStream()
    reader = stream.readable.get_reader()
    writer = stream.writable.get_writer()
    write = writer.write(chunk)
    read = reader.read()
    await promise_rejects_js(t, TypeError, write, "write should reject")
    await promise_rejects_js(t, TypeError, read, "read should reject")


for name, bad_chunk in BAD_CHUNKS:
    add_port(__name__, f"chunk of type {name} should error the stream", partial(chunk_errors_the_stream, bad_chunk))
