"""A queue of many chunks that drains into one callback: the call is repeated, until one of them is another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from webstreams import Promise, ReadableStream, WritableStream, queue_microtask

from ..grids import each_of
from .pipelines import on_both_paths

CHUNKS = 60
Log = list[Any]


def later(log: Log) -> asyncio.Future[None]:
    """Return a future of another turn of the loop: nothing else tells that the call is another one."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(log.append, "later")
    loop.call_soon(future.set_result, None)
    return future


def fail(_: Log) -> None:
    """Raise."""
    raise LookupError("enough")


DEVIATIONS: dict[str, Callable[[Log], object]] = {
    "nothing": lambda log: None,
    "a value": lambda log: 5,
    "a promise": lambda log: Promise.resolve(None).then(lambda _: log.append("then")),
    "a future": later,
    "a job": lambda log: queue_microtask(log.append, "job"),
    "two jobs": lambda log: queue_microtask(queue_microtask, log.append, "job of a job"),
    "an error": fail,
}


@each_of(deviation=DEVIATIONS, at=(12, 24, 25, 48, CHUNKS - 1), mark=(1, 70))
def test_a_call_is_another_one(deviation: str, at: int, mark: int) -> None:
    async def program() -> Log:
        log: Log = []

        def start(controller: Any) -> None:
            for number in range(CHUNKS):
                controller.enqueue(number)
            controller.close()

        def write(chunk: int, controller: object) -> Any:
            log.append(chunk)
            return DEVIATIONS[deviation](log) if chunk == at else None

        source: ReadableStream[int] = ReadableStream({"start": start}, {"high_water_mark": mark})
        sink = WritableStream({"write": write, "abort": log.append, "close": lambda: log.append("close")})
        try:
            await source.pipe_to(sink)
        except LookupError as error:
            log.append(str(error))
        return log

    plain, fast = on_both_paths(program)
    assert fast == plain
