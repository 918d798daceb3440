"""Port of encoding/streams/decode-ignore-bom.any.js."""

from __future__ import annotations

from functools import partial

from webstreams.encoding import TextDecoderStream
from wpt_ports.harness import Test, add_port
from wpt_ports.resources.array_streams import readable_stream_from_array, readable_stream_to_array

BOM = "\ufeff"
CASES = {
    "utf-8": b"\xef\xbb\xbfabc",
    "utf-16le": b"\xff\xfea\0b\0c\0",
    "utf-16be": b"\xfe\xff\0a\0b\0c",
}


async def pipe_and_assemble(chunks: list[bytes], encoding: str, ignore_bom: bool) -> str:
    decoder = TextDecoderStream(encoding, ignore_bom=ignore_bom)
    output = await readable_stream_to_array(readable_stream_from_array(chunks).pipe_through(decoder))
    return "".join(output)


async def ignore_bom_works(encoding: str, split_point: int, t: Test) -> None:
    data = CASES[encoding]
    chunks = [data[:split_point], data[split_point:]]
    assert await pipe_and_assemble(chunks, encoding, True) == BOM + "abc", "BOM should be preserved"
    assert await pipe_and_assemble(chunks, encoding, False) == "abc", "BOM should be stripped"


for name in CASES:
    for place in range(4):
        add_port(
            __name__,
            f"ignoreBOM should work for encoding {name}, split at character {place}",
            partial(ignore_bom_works, name, place),
        )
