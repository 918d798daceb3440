"""Port of streams/writable-streams/error.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import WritableStream, WritableStreamDefaultController
from wpt_ports.harness import Test, promise_rejects_exactly, promise_test, test

error1 = Exception("error1")
error2 = Exception("error2")


@promise_test("controller.error() should error the stream")
async def error_in_start(t: Test) -> None:
    ws = WritableStream[Any]({"start": lambda controller: controller.error(error1)})
    await promise_rejects_exactly(t, error1, ws.get_writer().closed, "closed")


@test("controller.error() on erroring stream should not throw")
def error_on_erroring_stream(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    ws = WritableStream[Any]({"start": controllers.append})
    ws.abort()
    controllers[0].error(error1)


@promise_test("surplus calls to controller.error() should be a no-op")
async def surplus_errors(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    ws = WritableStream[Any]({"start": controllers.append})
    controllers[0].error(error1)
    controllers[0].error(error2)
    await promise_rejects_exactly(t, error1, ws.get_writer().closed, "the first error wins")


@promise_test("controller.error() on errored stream should not throw")
async def error_on_errored_stream(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    ws = WritableStream[Any]({"start": controllers.append})
    await ws.abort()
    controllers[0].error(error1)


@promise_test("controller.error() on closed stream should not throw")
async def error_on_closed_stream(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    ws = WritableStream[Any]({"start": controllers.append})
    await ws.get_writer().close()
    controllers[0].error(error1)
