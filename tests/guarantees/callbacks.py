"""Every callback of a stream, for tests that do the same with each."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from tests.grids import each_of
from webstreams import Promise, ReadableStream, TransformStream, WritableStream

Callback = Callable[[], Any]

# So many turns of the loop are enough for everything that a callback leads to.
ENOUGH_TURNS = 12


def source_start(callback: Callback) -> Promise[Any]:
    stream = ReadableStream[Any]({"start": lambda _: callback(), "pull": lambda controller: controller.close()})
    return stream.get_reader().read()


def _pull_with(callback: Callback, close: Callable[[Any], None]) -> Callable[[Any], Any]:
    async def pull(controller: Any) -> None:
        await callback()
        close(controller)

    def pull_synchronously(controller: Any) -> None:
        callback()
        close(controller)

    return pull if iscoroutinefunction(callback) else pull_synchronously


def source_pull(callback: Callback) -> Promise[Any]:
    pull = _pull_with(callback, lambda controller: controller.close())
    return ReadableStream[Any]({"pull": pull}).get_reader().read()


def byte_source_pull(callback: Callback) -> Promise[Any]:
    def close(controller: Any) -> None:
        controller.close()
        controller.byob_request.respond(0)

    stream = ReadableStream({"type": "bytes", "pull": _pull_with(callback, close)})
    return stream.get_reader(mode="byob").read(bytearray(4))


def source_cancel(callback: Callback) -> Promise[Any]:
    return ReadableStream[Any]({"cancel": lambda _: callback()}).cancel()


def sink_start(callback: Callback) -> Promise[Any]:
    return WritableStream[Any]({"start": lambda _: callback()}).get_writer().close()


def sink_write(callback: Callback) -> Promise[Any]:
    return WritableStream[Any]({"write": lambda *_: callback()}).get_writer().write("chunk")


def sink_close(callback: Callback) -> Promise[Any]:
    return WritableStream[Any]({"close": callback}).close()


def sink_abort(callback: Callback) -> Promise[Any]:
    return WritableStream[Any]({"abort": lambda _: callback()}).abort()


def _transform_with(transformer: Any) -> TransformStream[Any, Any]:
    transform: TransformStream[Any, Any] = TransformStream(transformer, None, {"high_water_mark": 1})
    return transform


def transformer_start(callback: Callback) -> Promise[Any]:
    return _transform_with({"start": lambda _: callback()}).writable.get_writer().write("chunk")


def transformer_transform(callback: Callback) -> Promise[Any]:
    return _transform_with({"transform": lambda *_: callback()}).writable.get_writer().write("chunk")


def transformer_flush(callback: Callback) -> Promise[Any]:
    return _transform_with({"flush": lambda _: callback()}).writable.close()


def transformer_cancel(callback: Callback) -> Promise[Any]:
    return _transform_with({"cancel": lambda _: callback()}).readable.cancel()


def iterator_next(callback: Callback) -> Promise[Any]:
    class Iterator:
        def __aiter__(self) -> Iterator:
            return self

        async def __anext__(self) -> Any:
            return await callback()

    return ReadableStream[Any].from_(Iterator()).get_reader().read()


STARTS = [source_start, sink_start, transformer_start]
CALLS = [
    source_pull,
    byte_source_pull,
    source_cancel,
    sink_write,
    sink_close,
    sink_abort,
    transformer_transform,
    transformer_flush,
    transformer_cancel,
]
EVERY_COROUTINE = each_of(call=[*STARTS, *CALLS, iterator_next])

Call = Callable[[Callback], Promise[Any]]
