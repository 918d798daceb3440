"""Port of streams/readable-byte-streams/patched-global.any.js."""

from __future__ import annotations

from wpt_ports.harness import Test, promise_test
from wpt_ports.resources.byte_views import ViewInfo, assert_typed_array_equals, controlled_byte_stream, uint8, view_info

BUFFER_LENGTH = 0x4000


@promise_test("Patched then() sees byobRequest after filling all pending pull-into descriptors")
async def all_descriptors_are_filled_first(t: Test) -> None:
    stream, controller = controlled_byte_stream()
    reader = stream.get_reader(mode="byob")
    seen: list[object] = []

    # No lookup of `then` runs the caller's code while a result is made: the first code to run is the first reaction.
    read1 = reader.read(bytearray(0x100))
    reaction = read1.then(lambda _: seen.append(controller.byob_request))
    read2 = reader.read(memoryview(bytearray(BUFFER_LENGTH))[-8:].cast("Q"))

    controller.enqueue(b"\x42" * 0x110)
    assert controller.byob_request is None, "a BYOB request is left over"
    await reaction
    assert seen == [None], "a BYOB request is left after both views were filled"

    result1 = await read1
    assert not result1.done
    assert_typed_array_equals(result1.value, uint8(*[0x42] * 0x100), "first result")

    result2 = await read2
    assert not result2.done
    assert view_info(result2.value) == ViewInfo("Q", BUFFER_LENGTH, BUFFER_LENGTH - 8, 8)
    assert result2.value.tolist() == [0x4242424242424242]
