"""Port of encoding/streams/decode-attributes.any.js."""

from __future__ import annotations

from functools import partial
from typing import Any

from webstreams.encoding import TextDecoderStream
from wpt_ports.harness import Test, add_port, assert_throws_exactly, assert_throws_js, test

LABELS = {
    "unicode-1-1-utf-8": "utf-8",
    "iso-8859-2": "iso-8859-2",
    "ascii": "windows-1252",
    "utf-16": "utf-16le",
}
# JavaScript's string of the value, and the value; undefined and null are both None.
FALSE_VALUES: list[tuple[str, Any]] = [("false", False), ("0", 0), ("", ""), ("undefined", None), ("null", None)]
TRUE_VALUES: list[tuple[str, Any]] = [
    ("true", True),
    ("1", 1),
    ("[object Object]", object()),
    ("", [0]),
    ("yes", "yes"),
]


async def label_gives_name(label: str, name: str, t: Test) -> None:
    assert TextDecoderStream(label).encoding == name, "encoding should match"


async def fatal_is(value: Any, expected: bool, t: Test) -> None:
    assert TextDecoderStream("utf-8", fatal=value).fatal is expected


async def ignore_bom_is(value: Any, expected: bool, t: Test) -> None:
    assert TextDecoderStream("utf-8", ignore_bom=value).ignore_bom is expected


for each_label, each_name in LABELS.items():
    add_port(
        __name__,
        f"encoding attribute should have correct value for '{each_label}'",
        partial(label_gives_name, each_label, each_name),
    )

for values, result in ((FALSE_VALUES, False), (TRUE_VALUES, True)):
    for shown, each_value in values:
        outcome = str(result).lower()
        add_port(
            __name__,
            f"setting fatal to '{shown}' should set the attribute to {outcome}",
            partial(fatal_is, each_value, result),
        )
        add_port(
            __name__,
            f"setting ignoreBOM to '{shown}' should set the attribute to {outcome}",
            partial(ignore_bom_is, each_value, result),
        )


@test("constructing with an invalid encoding should throw")
def invalid_encoding(t: Test) -> None:
    assert_throws_js(ValueError, lambda: TextDecoderStream(""), "the constructor should throw")


@test("constructing with a non-stringifiable encoding should throw")
def non_stringifiable_encoding(t: Test) -> None:
    class NoString:
        def __str__(self) -> str:
            return {}  # type: ignore[return-value]  # noqa: PLE0307

    label: Any = NoString()
    assert_throws_js(TypeError, lambda: TextDecoderStream(label), "the constructor should throw")


class NeitherTrueNorFalse:
    """A value whose truth cannot be told: what stands for a member whose getter throws."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __bool__(self) -> bool:
        raise self._error


@test("a throwing fatal member should cause the constructor to throw")
def throwing_fatal(t: Test) -> None:
    error = Exception("error1")
    value: Any = NeitherTrueNorFalse(error)
    assert_throws_exactly(error, lambda: TextDecoderStream("utf-8", fatal=value), "the constructor should throw")


@test("a throwing ignoreBOM member should cause the constructor to throw")
def throwing_ignore_bom(t: Test) -> None:
    error = Exception("error1")
    value: Any = NeitherTrueNorFalse(error)
    assert_throws_exactly(error, lambda: TextDecoderStream("utf-8", ignore_bom=value), "the constructor should throw")
