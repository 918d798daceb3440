"""Port of compression/compression-constructor-error.any.js."""

from __future__ import annotations

from typing import Any

from webstreams.compression import CompressionStream

from ..harness import Test, assert_throws_js, test
from ..resources.unprintable import Unprintable

Constructor: Any = CompressionStream


@test('"a" should cause the constructor to throw')
def unknown_format(t: Test) -> None:
    assert_throws_js(TypeError, lambda: Constructor("a"), "constructor should throw")


@test("no input should cause the constructor to throw")
def no_format(t: Test) -> None:
    assert_throws_js(TypeError, Constructor, "constructor should throw")


@test("non-string input should cause the constructor to throw")
def no_string(t: Test) -> None:
    # JavaScript makes a string of it, which raises an error of another kind; here it is refused.
    assert_throws_js(TypeError, lambda: Constructor(Unprintable()), "constructor should throw")
