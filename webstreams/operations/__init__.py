"""The operations for libraries that make streams or work on them: section 9 of the Streams Standard.

The classes of `webstreams` are for applications. A library that offers streams of its own (of a socket, a file, a
response body) uses these functions, which the Standard offers to other specifications. They do not go through methods
that an application may have overridden, and they can do what a consumer must not: enqueue into a stream from outside,
error it, cancel a locked one. Each function is named after the term of the Standard, with the kind of stream where
several kinds have the term.

Make a stream with `create_readable_stream` and the like, or write a subclass that sets itself up in its constructor,
in place of ``super().__init__()``:

>>> import asyncio
>>> from webstreams import ReadableStream
>>> from webstreams.operations import (
...     close_readable_stream, enqueue_into_readable_stream, set_up_readable_stream,
... )
>>> class Countdown(ReadableStream[int]):
...     def __init__(self, start: int) -> None:
...         self.next = start
...         set_up_readable_stream(self, pull_algorithm=self.pull, high_water_mark=0)
...
...     async def pull(self) -> None:
...         enqueue_into_readable_stream(self, self.next)
...         self.next -= 1
...         if self.next == 0:
...             close_readable_stream(self)
>>> async def main() -> None:
...     print([number async for number in Countdown(3)])
>>> asyncio.run(main())
[3, 2, 1]

Algorithms (`pull_algorithm`, `write_algorithm` and so on) are plain functions or coroutine functions. They get no
controller: they act on their stream by these functions.

- Readable streams (9.1): `create_readable_stream`, `set_up_readable_stream` and both ``with_byte_reading_support``;
  `create_readable_stream_from_async_sequence`. Of a stream made so: `enqueue_into_readable_stream`,
  `close_readable_stream`, `error_readable_stream`, `needs_more_data`, `desired_size_to_fill_up_to_high_water_mark`;
  with bytes `current_byob_request_view` and `pull_from_bytes`. Of any stream: `get_reader`, `set_up_reader`,
  `read_chunk`, `read_all_bytes`, `release_reader`, `cancel_reader`, `cancel_readable_stream`, `tee`, and `is_readable`,
  `is_closed`, `is_errored`, `is_locked`, `is_disturbed`.
- Writable streams (9.2): `create_writable_stream`, `set_up_writable_stream`. Of a stream made so:
  `error_writable_stream`, `get_signal`. Of any stream: `get_writer`, `set_up_writer`, `write_chunk`, `release_writer`,
  `close_writable_stream`, `abort_writable_stream`.
- Transform streams (9.3): `create_transform_stream`, `set_up_transform_stream`, `create_identity_transform_stream`;
  `enqueue_into_transform_stream`, `terminate_transform_stream`, `error_transform_stream`; `GenericTransformStream` for
  classes that wrap one.
- Other pairs of streams (9.4), such as the two directions of a socket: call the properties `readable` and `writable`,
  as `webstreams.ReadableWritablePair` has it, whatever the class is.
- Piping (9.5): `pipe_to`, `pipe_through`, `create_proxy`.

All of them raise `TypeError` for anything other than the stream, reader or writer they need, and `RuntimeError` in
another event loop or thread than that of the stream.
"""

from .piping import create_proxy, pipe_through, pipe_to
from .readable import (
    close_readable_stream,
    create_readable_stream,
    create_readable_stream_from_async_sequence,
    create_readable_stream_with_byte_reading_support,
    current_byob_request_view,
    desired_size_to_fill_up_to_high_water_mark,
    enqueue_into_readable_stream,
    error_readable_stream,
    needs_more_data,
    pull_from_bytes,
    set_up_readable_stream,
    set_up_readable_stream_with_byte_reading_support,
)
from .reading import (
    ReadRequest,
    cancel_readable_stream,
    cancel_reader,
    get_reader,
    is_closed,
    is_disturbed,
    is_errored,
    is_locked,
    is_readable,
    read_all_bytes,
    read_all_bytes_as_promise,
    read_chunk,
    release_reader,
    set_up_reader,
    tee,
)
from .transform import (
    GenericTransformStream,
    create_identity_transform_stream,
    create_transform_stream,
    enqueue_into_transform_stream,
    error_transform_stream,
    set_up_transform_stream,
    terminate_transform_stream,
)
from .writable import (
    abort_writable_stream,
    close_writable_stream,
    create_writable_stream,
    error_writable_stream,
    get_signal,
    get_writer,
    release_writer,
    set_up_writable_stream,
    set_up_writer,
    write_chunk,
)

__all__ = [
    "GenericTransformStream",
    "ReadRequest",
    "abort_writable_stream",
    "cancel_readable_stream",
    "cancel_reader",
    "close_readable_stream",
    "close_writable_stream",
    "create_identity_transform_stream",
    "create_proxy",
    "create_readable_stream",
    "create_readable_stream_from_async_sequence",
    "create_readable_stream_with_byte_reading_support",
    "create_transform_stream",
    "create_writable_stream",
    "current_byob_request_view",
    "desired_size_to_fill_up_to_high_water_mark",
    "enqueue_into_readable_stream",
    "enqueue_into_transform_stream",
    "error_readable_stream",
    "error_transform_stream",
    "error_writable_stream",
    "get_reader",
    "get_signal",
    "get_writer",
    "is_closed",
    "is_disturbed",
    "is_errored",
    "is_locked",
    "is_readable",
    "needs_more_data",
    "pipe_through",
    "pipe_to",
    "pull_from_bytes",
    "read_all_bytes",
    "read_all_bytes_as_promise",
    "read_chunk",
    "release_reader",
    "release_writer",
    "set_up_readable_stream",
    "set_up_readable_stream_with_byte_reading_support",
    "set_up_reader",
    "set_up_transform_stream",
    "set_up_writable_stream",
    "set_up_writer",
    "tee",
    "terminate_transform_stream",
    "write_chunk",
]
