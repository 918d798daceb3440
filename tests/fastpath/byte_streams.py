"""Random programs for the fast path whose sources are byte streams."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from webstreams import ReadableStream, ReadableStreamBYOBReader

from .mixtures import Mixture, World, mix
from .operators import OperatorMixture
from .programs import Dice, Log, consume, got


class ByteMixture(OperatorMixture):
    """A mixture of byte streams: mostly those that a run takes, now and then one that keeps bytes in its queue."""

    def __init__(self, dice: Dice, log: Log, name: str, world: World) -> None:
        super().__init__(dice, log, name, world)
        self.oddity /= 2  # what is odd ends the run, and chunks are odd as often as callbacks
        # Several chunks at once stay on the plain path.
        self.gives = min(self.gives, dice.choice([1, 1, 1, 2]))

    def lead_on(self, stream: ReadableStream[Any], name: str, depth: int) -> None:
        """Seldom tee: the branches of a byte stream are filled by turns, which is no run."""
        super().lead_on(stream, name, depth if self.dice.random() < 0.2 else 2)

    def source(self) -> ReadableStream[Any]:
        odd = self.dice.random() < 0.2
        source: Any = {
            "type": "bytes",
            "start": self.start_source,
            "pull": self.maybe_coroutine(self.pull, self.pull_later),
            "cancel": lambda reason: self.log.append(("cancel", str(reason))),
            "auto_allocate_chunk_size": self.dice.choice([None, 4]) if odd else None,
        }
        return ReadableStream(source, {"high_water_mark": self.dice.choice([0, 1, 9]) if odd else 0})

    def enqueue_into(self, controller: Any, chunk: Any) -> None:
        """Enqueue bytes where the source does, and anything behind it; use what a reader has brought now and then."""
        if controller is not self.source_controller:
            super().enqueue_into(controller, chunk)
            return
        try:
            if self.dice.random() < self.oddity:
                self.enqueue_oddly(controller)
            else:
                controller.enqueue(b"%d" % self.count)
        except (TypeError, ValueError) as error:
            self.log.append(("refused", str(error)))

    def enqueue_oddly(self, controller: Any) -> None:
        request = controller.byob_request
        choice = self.dice.randrange(5)
        self.log.append(("odd chunk", choice, request is None))
        if choice == 0:
            controller.enqueue(self.dice.choice([b"", "text", None, 5]))
        elif choice == 1:
            controller.enqueue(bytearray(b"array"))
        elif choice == 2:
            controller.enqueue(memoryview(b"a view")[2:])
        elif request is not None and request.view is not None:
            request.view[:1] = b"v"
            request.respond(1)
        else:
            controller.enqueue(b"first")
            controller.enqueue(b"second")

    def takers(self) -> list[Callable[[ReadableStream[Any], Any], Coroutine[Any, Any, None]]]:
        return [*super().takers(), join, fill]


async def join(stream: ReadableStream[Any], parts: Mixture) -> None:
    """Read everything at once."""
    try:
        parts.log.append(("joined", await stream.bytes()))
    except BaseException as error:
        parts.log.append(("joining failed", repr(error)))


async def fill(stream: ReadableStream[Any], parts: Mixture) -> None:
    """Read by the default reader and with memory of one's own, by turns."""
    try:
        ReadableStreamBYOBReader(stream).release_lock()
    except TypeError:
        await consume(stream, parts)
        return
    try:
        while True:
            with ReadableStreamBYOBReader(stream) as filling:
                view, done = await filling.read(bytearray(3))
            if done or view is None or await got(bytes(view), parts):
                return
            with stream.get_reader() as reader:
                for _ in range(parts.dice.choice([1, 5, 20])):
                    chunk, done = await reader.read()
                    if done or await got(chunk, parts):
                        return
    except BaseException as error:
        parts.log.append(("filling failed", repr(error)))


async def of_bytes(dice: Dice) -> Log:
    """Let random pipelines of byte streams run beside each other, and some more after that; give what happened."""
    return [*await mix(dice, ByteMixture), *await mix(dice, ByteMixture), *await mix(dice, ByteMixture)]
