"""What `merge`, `concat` and `zip_streams` share: one stream that is read from several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._engine.door import ignored
from .._engine.promise import Promise
from .._streams.door import fail_with
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.stream import ReadableStream
from .inputs import Input, cancel_all, open_inputs


class Combination:
    """The underlying source over several inputs, which are cancelled together."""

    function: str

    _controller: ReadableStreamDefaultController[Any]

    def __init__(self, streams: Sequence[Any]) -> None:
        # Those that have not ended, in their order.
        self._inputs = open_inputs(streams, self, self.function)
        # The others are being cancelled, or the output was.
        self._cancelling: Promise[None] | None = None
        self.readable: ReadableStream[Any] = ReadableStream(self, {"high_water_mark": 0})

    @property
    def stage_name(self) -> str:
        """What it is called in notes of errors."""
        return f"{self.function}()"

    def start(self, controller: ReadableStreamDefaultController[Any]) -> None:
        """Keep the controller."""
        self._controller = controller
        if not self._inputs:
            controller.close()

    def pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        """Read from the inputs."""
        raise NotImplementedError

    def cancel(self, reason: object) -> Promise[None]:
        """Cancel every input with the same reason; done when all are."""
        return self._cancel_inputs(reason)

    def arrived(self, source: Input, chunk: Any) -> None:
        """Take a chunk of an input."""
        raise NotImplementedError

    def ended(self, source: Input) -> None:
        """Go on without an input that is closed."""
        raise NotImplementedError

    def failed(self, source: Input, error: Any) -> None:
        """Error the output as an input is errored, and cancel the others with the same error."""
        del self._inputs[source]
        self._fail(error)

    def _fail(self, error: object) -> None:
        fail_with(self._controller, error)
        ignored(self._cancel_inputs(error))  # the first error is the one that counts

    def _cancel_inputs(self, reason: object) -> Promise[None]:
        if self._cancelling is None:
            inputs, self._inputs = self._inputs, {}
            self._cancelling = cancel_all(inputs, reason)
        return self._cancelling
