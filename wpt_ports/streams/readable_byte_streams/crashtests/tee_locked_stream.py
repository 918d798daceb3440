"""Port of streams/readable-byte-streams/crashtests/tee-locked-stream.any.js."""

from __future__ import annotations

from wpt_ports.harness import Test, assert_throws_js, test
from wpt_ports.resources.byte_views import byte_stream


@test("tee() on a locked byte stream does not crash")
def tee_locked_stream(t: Test) -> None:
    stream = byte_stream()
    stream.get_reader()
    assert_throws_js(TypeError, stream.tee, "a locked stream cannot be teed")
