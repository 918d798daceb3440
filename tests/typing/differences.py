"""Where the two checkers differ: the marked lines are errors under the checker that is named, and under no other.

Pyright narrows a union by a literal attribute when the attribute is compared (``result.done is False``), and not when
it only stands in a condition (``not result.done``). Mypy does both, but loses the type argument of a generic named
tuple in ``isinstance`` and ``match``.

Where a sink and a strategy do not agree on the type of a chunk, pyright complains at once; mypy infers that no chunk at
all can be written, and complains about the first one.
"""

from __future__ import annotations

from typing import assert_type

from webstreams import ReadableStreamDefaultReader, ReadDoneResult, ReadValueResult, WritableStream


async def narrow_without_comparing(reader: ReadableStreamDefaultReader[int]) -> None:
    result = await reader.read()
    if not result.done:
        assert_type(result.value, int)  # error: pyright
    else:
        assert_type(result.value, None)  # error: pyright


async def loop_without_comparing(reader: ReadableStreamDefaultReader[int]) -> None:
    while not (result := await reader.read()).done:
        assert_type(result.value, int)  # error: pyright
    assert_type(result.value, None)  # error: pyright


async def match(reader: ReadableStreamDefaultReader[int]) -> None:
    result = await reader.read()
    match result:
        case ReadValueResult():
            assert_type(result.value, int)  # error: mypy
        case ReadDoneResult():
            assert_type(result.value, None)  # error: mypy


async def ask_for_the_class(reader: ReadableStreamDefaultReader[int]) -> None:
    result = await reader.read()
    if isinstance(result, ReadValueResult):
        assert_type(result.value, int)  # error: mypy
    else:
        assert_type(result.value, None)


def write_number(chunk: int, controller: object) -> None: ...


async def measure_something_else() -> None:
    stream = WritableStream({"write": write_number}, {"size": len})  # error: pyright
    await stream.get_writer().write(1)  # error: mypy
