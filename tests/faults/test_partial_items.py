"""WebKit/WebKit#54694: the source of a byte tee ends inside an item of one branch; the other one gets the end."""

from __future__ import annotations

import asyncio
from array import array
from typing import Any

import pytest

from tests.faults.helpers import soon
from webstreams import ReadableStream


async def drain(branch: ReadableStream[bytes], item: str | None) -> int:
    reader: Any = branch.get_reader(mode="byob") if item else branch.get_reader()
    count = 0
    while True:
        value, done = await (reader.read(array(item, [0] * 4)) if item else reader.read())
        if done:
            return count
        count += memoryview(value).nbytes


@pytest.mark.parametrize("items", [("H", None), ("H", "B"), ("B", "H"), (None, "H"), ("H", "H")])
async def test_an_end_inside_an_item_of_one_branch_is_the_end_of_the_other(
    items: tuple[str | None, str | None], reported: list[Any]
) -> None:
    chunks = [b"\1\2\3"]

    def pull(controller: Any) -> None:
        if chunks:
            controller.enqueue(chunks.pop())
            return
        controller.close()
        if controller.byob_request is not None:
            controller.byob_request.respond(0)

    branches = ReadableStream[bytes]({"type": "bytes", "pull": pull}).tee()
    drained = [drain(branch, item) for branch, item in zip(branches, items, strict=True)]
    outcomes = await soon(asyncio.gather(*drained, return_exceptions=True))
    assert [type(each) if item == "H" else each for each, item in zip(outcomes, items, strict=True)] == [
        TypeError if item == "H" else 3 for item in items
    ]
    assert reported == []
