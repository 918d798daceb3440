"""What testharness.js gives an upstream file, for its Python port.

A port registers one function per upstream subtest, under the upstream title::

    @promise_test("ReadableStream: the title, word for word")
    async def short_name(t: Test) -> None:
        ...

Every registered test runs in an event loop of its own. It fails when it raises, when a callback made by
``t.unreached(...)`` or ``t.step(...)`` failed, or when anything reached the loop's exception handler.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from webstreams import AbortError, DataError, Promise, StreamError

T = TypeVar("T")
PortFunction = Callable[["Test"], Coroutine[Any, Any, None]]

TEST_TIMEOUT_SECONDS = 30.0


class Test:
    """The ``t`` that testharness.js hands to a subtest."""

    __test__ = False

    def __init__(self) -> None:
        self._failures: list[BaseException] = []
        self._cleanups: list[Callable[[], object]] = []

    def unreached(self, message: str = "must not be reached") -> Callable[..., Any]:
        """``t.unreached_func``: a callback that fails the test when it is called."""

        def fail(*args: object) -> None:
            error = AssertionError(f"{message} (called with {args!r})")
            self._failures.append(error)
            raise error

        return fail

    def step(self, function: Callable[..., T]) -> Callable[..., T]:
        """``t.step_func``: `function`, whose exception also fails the test."""

        def stepped(*args: Any) -> T:
            try:
                return function(*args)
            except BaseException as error:
                self._failures.append(error)
                raise

        return stepped

    def step_timeout(self, function: Callable[..., object], milliseconds: float, *args: Any) -> None:
        """``t.step_timeout``: call `function` after a delay."""
        asyncio.get_running_loop().call_later(milliseconds / 1000, self.step(function), *args)

    def add_cleanup(self, function: Callable[[], object]) -> None:
        """``t.add_cleanup``: call `function` after the test."""
        self._cleanups.append(function)


@dataclass(frozen=True)
class Port:
    """One ported subtest."""

    title: str
    function: PortFunction
    module: str


_ports: dict[str, dict[str, Port]] = {}


def ports_of(module: str) -> dict[str, Port]:
    """The ports that importing `module` registered, by title."""
    return _ports.get(module, {})


def promise_test(title: str) -> Callable[[PortFunction], PortFunction]:
    """Register a coroutine function as the port of an upstream ``promise_test`` or ``async_test``."""

    def register(function: PortFunction) -> PortFunction:
        add_port(function.__module__, title, function)
        return function

    return register


def test(title: str) -> Callable[[Callable[[Test], None]], Callable[[Test], None]]:
    """Register a plain function as the port of an upstream ``test``: one synchronous step."""

    def register(function: Callable[[Test], None]) -> Callable[[Test], None]:
        async def run(t: Test) -> None:
            function(t)

        add_port(function.__module__, title, run)
        return function

    return register


test.__test__ = False  # type: ignore[attr-defined]


def add_port(module: str, title: str, function: PortFunction) -> None:
    """Register a port under `module` by hand: what the templates and loops of upstream files need."""
    titles = _ports.setdefault(module, {})
    if title in titles:
        raise ValueError(f"{module}: two ports are called {title!r}")
    titles[title] = Port(title, function, module)


async def run_port(port: Port) -> None:
    """Run one port in the running loop, with everything that makes it fail."""
    loop = asyncio.get_running_loop()
    t = Test()
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    try:
        async with asyncio.timeout(TEST_TIMEOUT_SECONDS):
            await port.function(t)
    finally:
        for cleanup in t._cleanups:
            cleanup()
    await asyncio.sleep(0)
    gc.collect()
    if t._failures:
        raise t._failures[0]
    if reported:
        raise AssertionError(f"reached the loop's exception handler: {reported!r}")


# What upstream's resources/test-utils.js has.


async def delay(milliseconds: float) -> None:
    """Wait on a timer: every pending job runs before it ends."""
    await asyncio.sleep(milliseconds / 1000)


async def flush_async_events() -> None:
    """Four timers in a row, as upstream's ``flushAsyncEvents``."""
    for _ in range(4):
        await delay(0.5)


def run(coroutine: Coroutine[Any, Any, T]) -> Promise[T]:
    """Call a JavaScript async function: starts at once, goes on by microtasks; gives its promise."""
    return Promise.resolve(coroutine)


def same(actual: object, expected: object) -> bool:
    """Whether two JavaScript values are the same: identity for objects, equality (by type) for primitives."""
    if actual is expected:
        return True
    primitive = (bool, int, float, str, bytes, type(None))
    if not isinstance(actual, primitive) or not isinstance(expected, primitive):
        return False
    if isinstance(actual, bool) != isinstance(expected, bool):
        return False
    return actual == expected


def reason_of(error: BaseException) -> object:
    """The reason that an exception stands for: its own, or the one a StreamError carries."""
    return error.reason if type(error) is StreamError else error


async def rejection(promise: Awaitable[object], message: str = "") -> object:
    """Wait for `promise` to be rejected and give the reason; fail when it is fulfilled."""
    try:
        value = await promise
    except Exception as error:
        return reason_of(error)
    raise AssertionError(f"fulfilled with {value!r}, should be rejected {message}")


async def promise_rejects_exactly(t: Test, reason: object, promise: Awaitable[object], message: str = "") -> None:
    """``promise_rejects_exactly``: rejected with this very reason."""
    actual = await rejection(promise, message)
    assert same(actual, reason), f"rejected with {actual!r} instead of {reason!r} {message}"


async def promise_rejects_js(
    t: Test, constructor: type[BaseException], promise: Awaitable[object], message: str = ""
) -> None:
    """``promise_rejects_js``: rejected with a TypeError, or a ValueError for a RangeError, exactly of that class.

    Python: for invalid data the Standard's TypeError is a DataError, which is a ValueError, too.
    """
    actual = await rejection(promise, message)
    kind = TypeError if type(actual) is DataError else type(actual)
    assert kind is constructor, f"rejected with {actual!r} instead of a {constructor.__name__} {message}"


async def promise_rejects_dom(t: Test, name: str, promise: Awaitable[object], message: str = "") -> None:
    """``promise_rejects_dom`` for the two names streams know."""
    expected = {"AbortError": AbortError, "TimeoutError": TimeoutError}[name]
    actual = await rejection(promise, message)
    assert isinstance(actual, expected), f"rejected with {actual!r} instead of {name} {message}"


def assert_throws_js(constructor: type[BaseException], function: Callable[[], object], message: str = "") -> None:
    """``assert_throws_js``."""
    try:
        function()
    except Exception as error:
        assert type(error) is constructor, f"raised {error!r} instead of a {constructor.__name__} {message}"
        return
    raise AssertionError(f"should raise {constructor.__name__} {message}")


def assert_throws_exactly(reason: object, function: Callable[[], object], message: str = "") -> None:
    """``assert_throws_exactly``."""
    try:
        function()
    except Exception as error:
        assert same(reason_of(error), reason), f"raised {error!r} instead of {reason!r} {message}"
        return
    raise AssertionError(f"should raise {reason!r} {message}")


def assert_array_equals(actual: Iterable[object], expected: Iterable[object], message: str = "") -> None:
    """``assert_array_equals``: the same items in the same order, compared by `same`."""
    left, right = list(actual), list(expected)
    equal = len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    assert equal, f"{left!r} is not {right!r} {message}"


def assert_view_equals(actual: memoryview, expected: bytes, *, format: str = "B", message: str = "") -> None:
    """What ``assert_typed_array_equals`` checks of a result view here: item format and bytes."""
    assert isinstance(actual, memoryview), f"{actual!r} is no memoryview {message}"
    assert actual.format == format, f"{actual.format} is not {format} {message}"
    assert actual.tobytes() == expected, f"{actual.tobytes()!r} is not {expected!r} {message}"


def is_awaitable(value: object) -> bool:
    """Whether a value is an eager awaitable."""
    return inspect.isawaitable(value) and hasattr(value, "add_done_callback")


def garbage_collect() -> None:
    """``garbageCollect``."""
    gc.collect()
