"""Run differential programs (JSON lines on stdin, see README.md) against `webstreams`; one log per line on stdout.

`run_js.mjs` is the same machine in JavaScript: change both together. Each ``op_*`` method performs one kind of
action; the promise that it returns, if any, is what a callback or an async script can go on with.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from webstreams import (
    AbortController,
    Promise,
    ReadableStream,
    ReadableStreamBYOBReader,
    TransformStream,
    WritableStream,
    queue_microtask,
)

if __package__ in (None, ""):  # run as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
    __package__ = "tests.differential"

from .scripts import Action, Program, Scripts
from .values import (
    decode,
    promise_of,
    rejection,
    show,
    show_size,
)


class ProgramIterator:
    """The async iterator that a program gives to ``ReadableStream.from_``."""

    def __init__(self, take: Callable[[], Any]) -> None:
        self._take = take

    def __aiter__(self) -> ProgramIterator:
        return self

    def __anext__(self) -> Any:
        return self._take()


class ClosableProgramIterator(ProgramIterator):
    """One that can be closed early."""

    def __init__(self, take: Callable[[], Any], leave: Callable[[], Any]) -> None:
        super().__init__(take)
        self._leave = leave

    async def aclose(self) -> None:
        """JavaScript's ``return``."""
        await promise_of(self._leave())


class Machine(Scripts):
    """Performs one program: each method performs one kind of action."""

    # Constructing.

    def op_new_readable(self, action: Action, *_: Any) -> None:
        """A readable stream, with its controller's name."""
        identifier, source = action["id"], action["source"]
        members: Any = self.callbacks(identifier, source, {"start": 0, "pull": 0, "cancel": None})
        if "type" in source:
            members["type"] = source["type"]
        if "auto" in source:
            members["auto_allocate_chunk_size"] = source["auto"]
        strategy = self.strategy(identifier, action.get("strategy"))
        self.objects[identifier] = ReadableStream(members, strategy)

    def op_new_writable(self, action: Action, *_: Any) -> None:
        """A writable stream."""
        identifier = action["id"]
        positions = {"start": 0, "write": 1, "close": None, "abort": None}
        members: Any = self.callbacks(identifier, action["sink"], positions)
        strategy = self.strategy(identifier, action.get("strategy"))
        self.objects[identifier] = WritableStream(members, strategy)

    def op_new_transform(self, action: Action, *_: Any) -> None:
        """A transform stream and its two sides."""
        identifier = action["id"]
        positions = {"start": 0, "transform": 1, "flush": 0, "cancel": None}
        members: Any = self.callbacks(identifier, action["transformer"], positions)
        writable = self.strategy(identifier, action.get("writable"), "wsize")
        readable = self.strategy(identifier, action.get("readable"), "rsize")
        stream: TransformStream[Any, Any] = TransformStream(members, writable, readable)
        self.objects[identifier] = stream
        self.objects[f"{identifier}r"] = stream.readable
        self.objects[f"{identifier}w"] = stream.writable

    def op_from(self, action: Action, *_: Any) -> None:
        """``ReadableStream.from_`` a list or an async iterator."""
        identifier = action["id"]
        source: Any
        if "next" not in action:
            source = [decode(item) for item in action["items"]]
        else:
            take = self.callback(identifier, "next", action["next"], quiet=True)
            source = ProgramIterator(take)
            if "return" in action:
                leave = self.callback(identifier, "return", action["return"], quiet=True)
                source = ClosableProgramIterator(take, leave)
        self.objects[identifier] = ReadableStream.from_(source)

    def op_ac_new(self, action: Action, tag: str, *_: Any) -> None:
        """An abort controller."""
        controller = AbortController()
        self.objects[action["id"]] = controller
        controller.signal.add_event_listener("abort", lambda *_: self.log(tag, "abort event"))

    def op_ac_abort(self, action: Action, tag: str, label: str, argument: Any) -> None:
        """Abort a signal."""
        controller = self.target(action, tag, label)
        if controller is not None:
            controller.abort(decode(action.get("v"), argument))

    # Readable streams and readers.

    def op_get_reader(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Lock a readable stream."""
        stream = self.target(action, tag, label)
        if stream is not None:
            reader = stream.get_reader(mode="byob") if "mode" in action else stream.get_reader()
            self.objects[action["id"]] = reader

    def op_read(self, action: Action, tag: str, label: str, _: Any) -> Any:
        """Read with a default reader."""
        reader = self.target(action, tag, label)
        if isinstance(reader, ReadableStreamBYOBReader):
            self.log(tag, f"{label} needs a view")
            return None
        return reader and self.track(tag, label, reader.read())

    def op_readb(self, action: Action, tag: str, label: str, _: Any) -> Any:
        """Read into a view."""
        reader = self.target(action, tag, label)
        if reader is None:
            return None
        width = memoryview(b"").cast(action["fmt"]).itemsize
        first, length = width * action["off"], width * action["len"]
        buffer = memoryview(bytearray(length + 2 * width))
        view = buffer[first : first + length].cast(action["fmt"])
        promise = reader.read(view, min=action["min"]) if "min" in action else reader.read(view)
        return self.track(tag, label, promise)

    def op_release(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Release a reader's or a writer's lock."""
        target = self.target(action, tag, label)
        if target is not None:
            target.release_lock()

    def op_cancel(self, action: Action, tag: str, label: str, argument: Any) -> Any:
        """Cancel a readable stream, by itself or by its reader."""
        target = self.target(action, tag, label)
        return target and self.track(tag, label, target.cancel(decode(action.get("v"), argument)))

    def op_closed(self, action: Action, tag: str, label: str, _: Any) -> Any:
        """Watch ``closed``."""
        target = self.target(action, tag, label)
        return target and self.track(tag, label, target.closed)

    def op_locked(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Probe ``locked``."""
        stream = self.target(action, tag, label)
        if stream is not None:
            self.log(tag, f"{label} = {show(stream.locked)}")

    def op_tee(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Tee a stream."""
        stream = self.target(action, tag, label)
        if stream is not None:
            branches = stream.tee()
            self.objects.update(zip(action["ids"], branches, strict=True))

    def op_drain(self, action: Action, tag: str, label: str, _: Any) -> Any:
        """Read in an async function, up to so many chunks."""
        reader = self.target(action, tag, label)
        return reader and self.track(tag, label, Promise.resolve(self.drain(reader, action["max"], tag, label)))

    async def drain(self, reader: Any, most: int, tag: str, label: str) -> None:
        """The async function of `op_drain`."""
        for _ in range(most):
            result = await reader.read()
            self.log(tag, f"{label} got {show(result)}")
            if result.done:
                return

    def op_values(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Make an async iterator."""
        stream = self.target(action, tag, label)
        if stream is not None:
            self.objects[action["id"]] = stream.values(prevent_cancel=bool(action.get("pk")))

    def op_next(self, action: Action, tag: str, label: str, _: Any) -> Any:
        """Ask an async iterator for its next chunk."""
        iterator = self.target(action, tag, label)
        if iterator is None:
            return None
        promise = promise_of(iterator.__anext__())
        self.pending_nexts[action["on"]] += 1

        def settled(done: Any) -> None:
            rejection(done)
            self.pending_nexts[action["on"]] -= 1

        promise.add_done_callback(settled)
        return self.track(tag, label, promise)

    def op_return(self, action: Action, tag: str, label: str, _: Any) -> Any:
        """Close an async iterator that nothing waits for."""
        iterator = self.target(action, tag, label)
        if iterator is None:
            return None
        if self.pending_nexts[action["on"]] > 0:
            self.log(tag, f"{label} skipped: a next is pending")
            return None
        return self.track(tag, label, promise_of(iterator.aclose()), lambda _: "done")

    def op_iterate(self, action: Action, tag: str, label: str, _: Any) -> Any:
        """Iterate in an async function and leave early."""
        stream = self.target(action, tag, label)
        return stream and self.track(tag, label, Promise.resolve(self.iterate(stream, action, tag, label)))

    async def iterate(self, stream: Any, action: Action, tag: str, label: str) -> None:
        """The async function of `op_iterate`."""
        iterator = stream.values(prevent_cancel=bool(action.get("pk")))
        for _ in range(action["max"]):
            try:
                value = await iterator.__anext__()
            except StopAsyncIteration:
                self.log(tag, f"{label} ended")
                return
            self.log(tag, f"{label} got {show(value)}")
        await iterator.aclose()
        self.log(tag, f"{label} left")

    def op_for_await(self, action: Action, tag: str, label: str, _: Any) -> Any:
        """Iterate to the end with ``async for``."""
        stream = self.target(action, tag, label)
        return stream and self.track(tag, label, Promise.resolve(self.for_await(stream, action, tag, label)))

    async def for_await(self, stream: Any, action: Action, tag: str, label: str) -> None:
        """The async function of `op_for_await`."""
        chunks: AsyncIterator[Any] = stream.values(prevent_cancel=bool(action.get("pk")))
        async for chunk in chunks:
            self.log(tag, f"{label} got {show(chunk)}")

    def pipe_options(self, action: Action) -> dict[str, Any]:
        """The options of a pipe, as keyword arguments."""
        names = {"pc": "prevent_close", "pa": "prevent_abort", "pk": "prevent_cancel"}
        options: dict[str, Any] = {names[key]: bool(action[key]) for key in names if key in action}
        if action.get("sig") in self.objects:
            options["signal"] = self.objects[action["sig"]].signal
        return options

    def op_pipe_to(self, action: Action, tag: str, label: str, _: Any) -> Any:
        """Pipe to a writable stream."""
        stream = self.target(action, tag, label)
        destination = self.objects.get(action["dest"])
        if stream is None or destination is None:
            return None
        promise = stream.pipe_to(destination, **self.pipe_options(action))
        return self.track(f"pipe{action['i']}", label, promise)

    def op_pipe_through(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Pipe through a transform stream."""
        stream = self.target(action, tag, label)
        transform = self.objects.get(action["dest"])
        if stream is not None and transform is not None:
            stream.pipe_through(transform, **self.pipe_options(action))

    # Writable streams and writers.

    def op_get_writer(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Lock a writable stream."""
        stream = self.target(action, tag, label)
        if stream is not None:
            self.objects[action["id"]] = stream.get_writer()

    def op_write(self, action: Action, tag: str, label: str, argument: Any) -> Any:
        """Write a chunk."""
        writer = self.target(action, tag, label)
        return writer and self.track(tag, label, writer.write(decode(action.get("v"), argument)))

    def op_close(self, action: Action, tag: str, label: str, _: Any) -> Any:
        """Close a writable stream, by itself or by its writer."""
        target = self.target(action, tag, label)
        return target and self.track(tag, label, target.close())

    def op_abort(self, action: Action, tag: str, label: str, argument: Any) -> Any:
        """Abort a writable stream, by itself or by its writer."""
        target = self.target(action, tag, label)
        return target and self.track(tag, label, target.abort(decode(action.get("v"), argument)))

    def op_ready(self, action: Action, tag: str, label: str, _: Any) -> Any:
        """Watch ``ready``."""
        writer = self.target(action, tag, label)
        return writer and self.track(tag, label, writer.ready)

    def op_wsize(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Probe a writer's desired size."""
        writer = self.target(action, tag, label)
        if writer is not None:
            self.log(tag, f"{label} = {show_size(writer.desired_size)}")

    # Controllers.

    def op_c_enqueue(self, action: Action, tag: str, label: str, argument: Any) -> None:
        """Enqueue a chunk."""
        controller = self.controller(action, tag, label)
        if controller is None:
            return
        controller.enqueue(decode(action.get("v"), argument))

    def op_c_close(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Close a stream from its controller."""
        controller = self.controller(action, tag, label)
        if controller is not None:
            controller.close()

    def op_c_error(self, action: Action, tag: str, label: str, argument: Any) -> None:
        """Error a stream from its controller."""
        controller = self.controller(action, tag, label)
        if controller is not None:
            controller.error(decode(action.get("v"), argument))

    def op_c_terminate(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Terminate a transform stream."""
        controller = self.controller(action, tag, label)
        if controller is not None:
            controller.terminate()

    def op_c_size(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Probe a controller's desired size."""
        controller = self.controller(action, tag, label)
        if controller is not None:
            self.log(tag, f"{label} = {show_size(controller.desired_size)}")

    def op_c_signal(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Probe and watch a writable controller's signal."""
        controller = self.controller(action, tag, label)
        if controller is None:
            return
        signal = controller.signal
        self.log(tag, f"{label} aborted {show(signal.aborted)}" + (f" {show(signal.reason)}" if signal.aborted else ""))

        def aborted(*_: Any) -> None:
            self.log(tag, f"{label} event {show(signal.reason)}")
            self.perform_all(action["acts"])

        if not signal.aborted:
            signal.add_event_listener("abort", aborted)

    def op_c_byob(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Probe and keep the BYOB request."""
        controller = self.controller(action, tag, label)
        if controller is None:
            return
        request = controller.byob_request
        if request is not None:
            self.requests[action["on"]] = request
        self.log(tag, f"{label} = " + ("null" if request is None else f"{request.view.nbytes} bytes"))

    def request(self, action: Action, tag: str, label: str) -> Any:
        """The current BYOB request, or None."""
        controller = self.controller(action, tag, label)
        if controller is None:
            return None
        request = controller.byob_request
        if request is None:
            self.log(tag, f"{label} has no request")
        return request

    def op_c_respond(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Fill the BYOB request's view and respond."""
        request = self.request(action, tag, label)
        if request is not None:
            count = min(action["n"], request.view.nbytes)
            request.view[:count] = bytes([action["fill"]]) * count
            request.respond(action["n"])

    def op_c_respond_view(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Respond with the first part of the BYOB request's view."""
        request = self.request(action, tag, label)
        if request is not None:
            view = request.view[: action["n"]]
            view[:] = bytes([action["fill"]]) * view.nbytes
            request.respond_with_new_view(view)

    def op_c_stale(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Respond to a BYOB request that was kept."""
        request = self.found(self.requests.get(action["on"]), tag, label)
        if request is not None:
            self.log(tag, f"{label} {'answered' if request.view is None else 'open'}")
            request.respond(action["n"])

    # The rest.

    def op_micro(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Perform actions in a microtask."""

        def job() -> None:
            self.log(tag, label)
            self.perform_all(action["acts"])

        queue_microtask(job)

    def op_ticks(self, action: Action, tag: str, label: str, _: Any) -> None:
        """Log the next so many microtask rounds."""

        def tick(number: int) -> None:
            self.log(tag, f"{label} tick {number}")
            if number < action["n"]:
                queue_microtask(tick, number + 1)

        queue_microtask(tick, 1)

    def op_settle(self, action: Action, *_: Any) -> None:
        """Settle a deferred promise."""
        _promise, resolve, reject = self.deferred(action["d"])
        (resolve if action["ok"] else reject)(decode(action.get("v")))


def run_program(program: Program) -> list[str]:
    """Run a program in a loop of its own and give its log."""
    # Not by asyncio.run(), whose end waits for the pipes that most programs leave under way.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(_run(Machine(), program))
    finally:
        loop.close()


def _run(machine: Machine, program: Program) -> Coroutine[Any, Any, list[str]]:
    return machine.run(program)


def main() -> None:
    """Run the programs on stdin."""
    for line in sys.stdin:
        print(json.dumps(run_program(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
