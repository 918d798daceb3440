"""Upstream ``streams/transferable/resources/helpers.js``: streams that are transferred into another realm.

Upstream posts most streams to its own window, as it expects them to be the same everywhere. Here every port runs three
times: within one event loop, into a thread with a loop of its own, and into a process. What happens to a transferred
stream is called for, step by step::

    async with everywhere() as realms:
        for realm in realms:
            await realm.transfer(stream)
            assert await realm.call("read") == ("a", False)
"""

from __future__ import annotations

import asyncio
import multiprocessing
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any, ClassVar

from webstreams import ReadableStream
from webstreams.workers import Port, message_channel, receive, transfer
from wpt_ports.harness import reason_of

LIMIT = 25  # seconds
Step = Callable[..., Coroutine[Any, Any, Any]]


class There:
    """What the other realm has; one at a time is used."""

    stream: ClassVar[Any]
    # The reader or writer.
    end: ClassVar[Any]
    begun: ClassVar[list[Awaitable[Any]]]


def result(value: Any) -> Any:
    """What a read gives, as a tuple; anything else as it is."""
    return (value.value, value.done) if hasattr(value, "done") and hasattr(value, "value") else value


# The steps, which run in the other realm.


async def take(port: Port) -> str:
    """Receive a stream, and lock it; returns the name of its class."""
    name = await take_unlocked(port)
    await lock(port)
    return name


async def take_unlocked(port: Port) -> str:
    """Receive a stream, and leave it as it is."""
    There.stream = There.end = await receive(port)
    There.begun = []
    return type(There.stream).__name__


async def lock(port: Port) -> None:
    """Lock it."""
    There.end = There.stream.get_reader() if isinstance(There.stream, ReadableStream) else There.stream.get_writer()


async def call(port: Port, method: str, *args: Any) -> Any:
    """Call a method and wait for its result."""
    return result(await getattr(There.end, method)(*args))


async def begin(port: Port, method: str, *args: Any) -> int:
    """Call a method and do not wait."""
    There.begun.append(getattr(There.end, method)(*args))
    return len(There.begun) - 1


async def outcome(port: Port, index: int) -> Any:
    """How a call that was begun ends: the result, or the reason of its rejection."""
    try:
        return "fulfilled", result(await There.begun[index])
    except Exception as error:
        return "rejected", reason_of(error)


async def get(port: Port, attribute: str) -> Any:
    """Give an attribute; wait for it if it is a promise."""
    value = getattr(There.end, attribute)
    return await value if isinstance(value, Awaitable) else value


async def is_done(port: Port, index: int) -> bool:
    """Whether a call that was begun has ended."""
    promise: Any = There.begun[index]
    return bool(promise.done())


class Realm(ABC):
    """Another realm, and the port of this side to it."""

    def __init__(self) -> None:
        self.port, self._theirs = message_channel()

    async def run(self, step: Step, *args: Any) -> Any:
        """Run ``await step(port, *args)`` there."""
        async with asyncio.timeout(LIMIT):
            return await self._run(step, *args)

    @abstractmethod
    async def _run(self, step: Step, *args: Any) -> Any: ...

    def close(self) -> None:
        """End it."""
        self.port.close()
        self._theirs.close()

    async def transfer(self, stream: Any) -> str:
        """Transfer a stream and take it there; returns the name of its class there."""
        transfer(stream, self.port)
        name: str = await self.run(take)
        return name

    async def call(self, method: str, *args: Any) -> Any:
        """Call a method of the reader or writer there, and wait for its result."""
        return await self.run(call, method, *args)

    async def begin(self, method: str, *args: Any) -> int:
        """Call a method there without waiting; returns its number."""
        number: int = await self.run(begin, method, *args)
        return number

    async def outcome(self, number: int) -> Any:
        """How a call that was begun ends: "fulfilled" and the result, or "rejected" and the reason."""
        return await self.run(outcome, number)


class Here(Realm):
    """The same event loop."""

    async def _run(self, step: Step, *args: Any) -> Any:
        return await step(self._theirs, *args)


class InThread(Realm):
    """A thread with an event loop of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            self._stop = self._loop.create_future()
            runner.run(self._wait())

    async def _wait(self) -> None:
        await self._stop

    async def _run(self, step: Step, *args: Any) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(step(self._theirs, *args), self._loop))

    def close(self) -> None:
        """See `Realm`."""
        self._loop.call_soon_threadsafe(self._stop.set_result, None)
        self._thread.join()
        super().close()


class InProcess(Realm):
    """A spawned process, which serves many ports one after the other."""

    def __init__(self) -> None:
        super().__init__()
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._theirs, theirs), daemon=True)
        self._process.start()
        theirs.close()

    async def _run(self, step: Step, *args: Any) -> Any:
        self._connection.send((step, args))
        while not self._connection.poll():
            await asyncio.sleep(0.001)
        kind, value = self._connection.recv()
        if kind == "rejected":
            raise value
        return value

    def close(self) -> None:
        """See `Realm`."""
        self._connection.close()
        self._process.join(LIMIT)
        self._process.kill()
        self._process.close()
        super().close()


def _serve(port: Port, connection: Connection) -> None:
    asyncio.run(_answer(port, connection))


async def _answer(port: Port, connection: Connection) -> None:
    """Run one step after the other until the connection is closed."""
    while True:
        try:
            step, args = await asyncio.to_thread(connection.recv)
        except EOFError:
            return
        try:
            answer = "fulfilled", await step(port, *args)
        except Exception as error:
            answer = "rejected", error
        connection.send(answer)


# The one process.
_processes: list[InProcess] = []


def process() -> InProcess:
    """The process, which is started when it is wanted first."""
    if not _processes:
        _processes.append(InProcess())
    return _processes[0]


def end_process() -> None:
    """End the process."""
    while _processes:
        _processes.pop().close()


@asynccontextmanager
async def everywhere() -> AsyncIterator[list[Realm]]:
    """The three realms."""
    realms: list[Realm] = [Here(), InThread()]
    try:
        yield [*realms, process()]
    except BaseException:
        end_process()  # in whatever state it is
        raise
    finally:
        for realm in realms:
            realm.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true that another realm makes true."""
    async with asyncio.timeout(LIMIT):
        while not condition():
            await asyncio.sleep(0.001)
