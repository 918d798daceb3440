"""ReadableByteStreamTee: the tee of a byte stream, which reads into the memory of the branch that asks (4.9.1)."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from ..._platform.idl import INTERNAL
from ..holder import TEE
from .byob_reader import ReadableStreamBYOBReader
from .byte_controller import ReadableByteStreamController
from .reader import ReadableStreamDefaultReader, ReadableStreamGenericReader
from .state import ReadableStreamState, ReadRequest
from .tee import Tee, TeeBranch


class ByteTee(Tee):
    """The tee of a byte stream.

    It reads with a default reader, or with a BYOB reader while the branch that asks has a BYOB request.
    """

    __slots__ = ("read_again", "reader")
    _constant: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        stream: ReadableStreamState[Any],
        branch1: ReadableStreamState[Any],
        branch2: ReadableStreamState[Any],
    ) -> None:
        super().__init__(stream)
        self.reader: ReadableStreamGenericReader = ReadableStreamDefaultReader(stream)
        self.read_again = [False, False]
        for index, branch in enumerate((branch1, branch2)):
            # CreateReadableByteStream
            self.add_branch(ReadableByteStreamController(INTERNAL, branch, TeeBranch(self, index), 0, None))
        self.forward_reader_error(self.reader)

    def forward_reader_error(self, this_reader: ReadableStreamGenericReader) -> None:
        """Use a new reader: error the branches with the stream, as long as this is the one in use."""
        this_reader._holder = TEE
        this_reader._consumer = self
        this_reader.closed._react(None, partial(self._reader_was_errored, this_reader))

    def _reader_was_errored(self, this_reader: ReadableStreamGenericReader, error: object) -> None:
        if this_reader is self.reader:
            self.reader_errored(error)

    def pull(self, index: int) -> None:
        """pull1Algorithm and pull2Algorithm"""
        if self.reading:
            self.read_again[index] = True
            return
        self.reading = True
        byob_request = self.controllers[index]._get_byob_request()
        if byob_request is None:
            self.pull_with_default_reader()
        else:
            self.pull_with_byob_reader(byob_request.view, index)

    def pull_with_default_reader(self) -> None:
        """pullWithDefaultReader"""
        if isinstance(self.reader, ReadableStreamBYOBReader):
            self.reader._release()
            self.reader = ReadableStreamDefaultReader(self.stream)
            self.forward_reader_error(self.reader)
        assert isinstance(self.reader, ReadableStreamDefaultReader)
        self.reader._read(_DefaultTeeRead(self))

    def pull_with_byob_reader(self, view: memoryview, index: int) -> None:
        """pullWithBYOBReader"""
        if isinstance(self.reader, ReadableStreamDefaultReader):
            self.reader._release()
            self.reader = ReadableStreamBYOBReader(self.stream)
            self.forward_reader_error(self.reader)
        assert isinstance(self.reader, ReadableStreamBYOBReader)
        self.reader._read(memoryview(view), view, 1, _BYOBTeeRead(self, index))

    def read_is_done(self) -> None:
        """What both kinds of read end with."""
        self.keep_no_longer()
        self.reading = False
        for index in (0, 1):
            if self.read_again[index]:
                self.pull(index)
                return


class _DefaultTeeRead(ReadRequest):
    """The read request of pullWithDefaultReader."""

    __slots__ = ("_tee",)

    def __init__(self, tee: ByteTee) -> None:
        self._tee = tee

    def chunk_steps(self, chunk: Any) -> None:
        """Pass the bytes on a job later: errors, which take as long to be seen, come first."""
        self._tee.stream._jobs.push(partial(self._pass_on, chunk))

    def _pass_on(self, chunk: bytes) -> None:
        # Python: a default reader gives bytes, which both branches may share: there is nothing to clone.
        tee = self._tee
        tee.read_again = [False, False]
        for canceled, controller in zip(tee.canceled, tee.controllers, strict=True):
            if not canceled:
                controller._enqueue(chunk)
        tee.read_is_done()

    def close_steps(self, chunk: Any = None) -> None:
        """Close the branches and answer their pending BYOB requests."""
        tee = self._tee
        tee.reading = False
        for canceled, controller in zip(tee.canceled, tee.controllers, strict=True):
            if not canceled:
                _close_branch(controller)
        for controller in tee.controllers:
            if controller._pending_pull_intos:
                controller._respond(0)
        tee.keep_no_longer()
        tee.resolve_cancel_promise_unless_both_canceled()

    def error_steps(self, error: object) -> None:
        """The branches are errored by the reader's closed promise."""
        self._tee.reading = False


class _BYOBTeeRead(ReadRequest):
    """The read-into request of pullWithBYOBReader, for one branch."""

    __slots__ = ("_index", "_tee")

    def __init__(self, tee: ByteTee, index: int) -> None:
        self._tee = tee
        self._index = index

    def chunk_steps(self, chunk: Any) -> None:
        """Pass the bytes on a job later: errors, which take as long to be seen, come first."""
        self._tee.stream._jobs.push(partial(self._pass_on, chunk))

    def _pass_on(self, chunk: memoryview) -> None:
        tee = self._tee
        tee.read_again = [False, False]
        byob_canceled, other_canceled = self._canceled()
        byob_controller, other_controller = self._controllers()
        cloned = None if other_canceled else chunk.tobytes()  # CloneAsUint8Array
        if not byob_canceled:
            byob_controller._respond_with_new_view(chunk, None)
        if cloned is not None:
            other_controller._enqueue(cloned)
        tee.read_is_done()

    def close_steps(self, chunk: Any = None) -> None:
        """Close the branches and answer their pending BYOB requests."""
        tee = self._tee
        tee.reading = False
        byob_canceled, other_canceled = self._canceled()
        byob_controller, other_controller = self._controllers()
        if not byob_canceled:
            _close_branch(byob_controller)
        if not other_canceled:
            _close_branch(other_controller)
        if chunk is not None:
            if not byob_canceled and byob_controller._pending_pull_intos:
                byob_controller._respond_with_new_view(chunk, None)
            if not other_canceled and other_controller._pending_pull_intos:
                other_controller._respond(0)
        tee.keep_no_longer()
        tee.resolve_cancel_promise_unless_both_canceled()

    def error_steps(self, error: object) -> None:
        """The branches are errored by the reader's closed promise."""
        self._tee.reading = False

    def _canceled(self) -> tuple[bool, bool]:
        return self._tee.canceled[self._index], self._tee.canceled[1 - self._index]

    def _controllers(self) -> tuple[Any, Any]:
        return self._tee.controllers[self._index], self._tee.controllers[1 - self._index]


def _close_branch(controller: Any) -> None:
    """Close a branch, which is errored if that comes in the middle of an item of its reader.

    # Python: in the Standard, ReadableByteStreamControllerClose throws then, out of the close steps of the read: the
    # other branch is never told of the end, and the source gets the error.
    """
    try:
        controller._close()
    except TypeError:
        pass  # its reader is told
