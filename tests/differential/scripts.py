"""The part of the machine that performs the scripts of callbacks, and keeps the log."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from webstreams import (
    AbortError,
    ByteLengthQueuingStrategy,
    CountQueuingStrategy,
    Promise,
    StreamError,
)

from .values import Format, Mark, decode, promise_of, rejection, show, tag_of

Action: TypeAlias = Mapping[str, Any]
Program: TypeAlias = Mapping[str, Any]

BUDGET = 3000
QUIET_TURNS = 6
EXPECTED_ERRORS = (TypeError, ValueError, AbortError, StreamError, StopAsyncIteration)


class Scripts:
    """Performs one program and keeps its log."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.objects: dict[str, Any] = {}
        self.controllers: dict[str, Any] = {}
        self.requests: dict[str, Any] = {}
        self.deferreds: dict[str, tuple[Promise[Any], Callable[[Any], Any], Callable[[Any], Any]]] = {}
        self.pending_nexts: defaultdict[str, int] = defaultdict(int)
        self.counts: Counter[int] = Counter()
        self.performed = 0

    def log(self, tag: str, text: str) -> None:
        """Append one line."""
        self.lines.append(f"{tag} {text}")

    async def run(self, program: Program) -> list[str]:
        """Perform all turns; after each, let every pending job run."""
        asyncio.get_running_loop().set_exception_handler(self.loop_error)
        for index, turn in enumerate(program["turns"]):
            self.lines.append(f"- turn {index}")
            self.perform_all(turn)
            await self.quiet()
        return list(self.lines)  # what still waits is cancelled with the loop: that is no part of the program

    async def quiet(self) -> None:
        """Wait until the log has stood still for some turns of the loop."""
        still = 0
        while still < QUIET_TURNS:
            length = len(self.lines)
            await asyncio.sleep(0)
            still = still + 1 if length == len(self.lines) else 0

    def loop_error(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what reaches the loop's exception handler, except the program's own unhandled rejections."""
        error = context.get("exception")
        message = str(context.get("message"))
        if message.startswith(("Exception in callback", "a done callback")) or not isinstance(
            error, (Mark, *EXPECTED_ERRORS)
        ):
            self.log("!", f"LOOP {message} {error!r}")

    # Actions.

    def label(self, action: Action) -> str:
        """The name of this performance of an action."""
        count = self.counts[action["i"]]
        self.counts[action["i"]] += 1
        return f"{action['op']}@{action['i']}" + (f"#{count}" if count else "")

    def perform(self, action: Action, argument: Any = None) -> Any:
        """Perform one action; log what it raises."""
        self.performed += 1
        if self.performed > BUDGET:
            return None
        tag = tag_of(action.get("on") or action.get("id") or "m")
        label = self.label(action)
        try:
            return getattr(self, f"op_{action['op']}")(action, tag, label, argument)
        except Exception as error:
            self.log(tag, f"{label} throws {show(error)}")
            return None

    def perform_all(self, actions: Sequence[Action], argument: Any = None) -> None:
        """Perform actions in one synchronous step."""
        for action in actions:
            self.perform(action, argument)

    def track(self, tag: str, label: str, promise: Any, form: Format = show) -> Any:
        """Log how a promise is settled."""

        def settled(done: Any) -> None:
            reason = rejection(done)
            if isinstance(reason, StopAsyncIteration):
                self.log(tag, f"{label} -> done")
            elif reason is not None:
                self.log(tag, f"{label} -x {show(reason)}")
            else:
                self.log(tag, f"{label} -> {form(done.result())}")

        promise.add_done_callback(settled)
        return promise

    def target(self, action: Action, tag: str, label: str) -> Any:
        """The object that an action is for, or None when there is none (yet)."""
        return self.found(self.objects.get(action["on"]), tag, label)

    def controller(self, action: Action, tag: str, label: str) -> Any:
        """The controller of the stream that an action is for."""
        return self.found(self.controllers.get(action["on"]), tag, label)

    def found(self, target: Any, tag: str, label: str) -> Any:
        """`target`; log when there is none."""
        if target is None:
            self.log(tag, f"{label} skipped")
        return target

    def deferred(self, identifier: str) -> tuple[Promise[Any], Callable[[Any], Any], Callable[[Any], Any]]:
        """The promise of that name, which a ``settle`` action resolves or rejects."""
        if identifier not in self.deferreds:
            self.deferreds[identifier] = Promise.with_resolvers()
        return self.deferreds[identifier]

    # Callbacks.

    def callback(
        self, identifier: str, name: str, spec: Action, controller_at: int | None = None, *, quiet: bool = False
    ) -> Callable[..., Any]:
        """A callback that performs the next script of `spec` at each call."""
        calls = iter(range(sys.maxsize))
        silent = controller_at == 0 or quiet

        def call(*args: Any) -> Any:
            index = next(calls)
            if controller_at is not None:
                self.controllers[identifier] = args[controller_at]
            argument = None if silent else args[0]
            self.log(tag_of(identifier), f"{name}#{index}" + ("" if silent else f" {show(argument)}"))
            return self.body(spec["runs"][index], argument) if index < len(spec["runs"]) else None

        if not spec["runs"] or not all("async" in run for run in spec["runs"]):
            return call

        async def call_async(*args: Any) -> Any:
            result = call(*args)
            return await result if inspect.iscoroutine(result) else result

        return call_async

    def body(self, body: Action, argument: Any) -> Any:
        """Perform one script and end as it says."""
        if "async" in body:
            return self.async_body(body, argument)
        self.perform_all(body.get("acts", ()), argument)
        return self.end(body.get("end"), argument)

    def end(self, end: Action | None, argument: Any) -> Any:
        """What a script returns or raises."""
        kind = end["k"] if end else "undef"
        if end is None or kind == "undef":
            return None
        if kind == "def":
            return self.deferred(end["d"])[0]
        if kind == "act":
            return self.perform(end["a"], argument)
        if kind == "done":
            raise StopAsyncIteration
        value = decode(end.get("v"), argument)
        if kind == "throw":
            raise value
        if kind == "rej":
            return Promise.reject(value)
        return Promise.resolve(value) if kind in ("res", "resitem") else value

    async def async_body(self, body: Action, argument: Any) -> Any:
        """Perform a script that waits."""
        for item in body["async"]:
            if item["op"] == "await":
                for _ in range(item["n"]):
                    await Promise.resolve(None)
            elif item["op"] == "await_d":
                await self.deferred(item["d"])[0]
            elif item["op"] == "await_act":
                await self.await_action(item, argument)
            else:
                self.perform(item, argument)
        return self.end(body.get("end"), argument)

    async def await_action(self, item: Action, argument: Any) -> None:
        """Perform an action and wait for its promise."""
        promise = promise_of(self.perform(item["a"], argument))
        try:
            await promise
        except Exception:
            if not item.get("caught"):
                raise

    def callbacks(self, identifier: str, members: Action, positions: Mapping[str, int | None]) -> dict[str, Any]:
        """The callbacks that `members` describes, by name."""
        return {
            name: self.callback(identifier, name, members[name], controller_at, quiet=name == "close")
            for name, controller_at in positions.items()
            if name in members
        }

    def strategy(self, identifier: str, spec: Action | None, name: str = "size") -> Any:
        """A queuing strategy."""
        if spec is None or spec["kind"] == "none":
            return None
        if spec["kind"] == "count":
            return CountQueuingStrategy(high_water_mark=decode(spec["hwm"]))
        if spec["kind"] == "bytes":
            return ByteLengthQueuingStrategy(high_water_mark=decode(spec["hwm"]))
        result: dict[str, Any] = {}
        if "hwm" in spec:
            result["high_water_mark"] = decode(spec["hwm"])
        if "size" in spec:
            result["size"] = self.size_function(identifier, spec["size"], name)
        return result

    def size_function(self, identifier: str, runs: Sequence[Action], name: str) -> Callable[[Any], Any]:
        """A size function that performs the next script at each call."""
        calls = iter(range(sys.maxsize))

        def size(chunk: Any) -> Any:
            index = next(calls)
            self.log(tag_of(identifier), f"{name}#{index} {show(chunk)}")
            if index >= len(runs):
                return 1
            run = runs[index]
            self.perform_all(run.get("acts", ()), chunk)
            if "throw" in run:
                raise decode(run["throw"])
            return decode(run["ret"])

        return size
