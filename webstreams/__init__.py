"""webstreams: the WHATWG Streams Standard for asyncio."""

from ._abort import AbortController, AbortSignal, Event
from ._errors import AbortError, StreamError
from ._jobs import queue_microtask
from ._promise import Promise
from ._readable.byob_reader import ReadableStreamBYOBReader
from ._readable.byob_request import ReadableStreamBYOBRequest
from ._readable.byte_controller import ReadableByteStreamController
from ._readable.controller import ReadableStreamDefaultController
from ._readable.iterator import ReadableStreamAsyncIterator
from ._readable.reader import ReadableStreamDefaultReader
from ._readable.stream import ReadableStream, ReadableWritablePair
from ._results import ReadDoneResult, ReadValueResult
from ._strategy import ByteLengthQueuingStrategy, CountQueuingStrategy
from ._transform.controller import TransformStreamDefaultController
from ._transform.stream import TransformStream
from ._writable.controller import WritableStreamDefaultController
from ._writable.stream import WritableStream
from ._writable.writer import WritableStreamDefaultWriter

__all__ = [
    "AbortController",
    "AbortError",
    "AbortSignal",
    "ByteLengthQueuingStrategy",
    "CountQueuingStrategy",
    "Event",
    "Promise",
    "ReadDoneResult",
    "ReadValueResult",
    "ReadableByteStreamController",
    "ReadableStream",
    "ReadableStreamAsyncIterator",
    "ReadableStreamBYOBReader",
    "ReadableStreamBYOBRequest",
    "ReadableStreamDefaultController",
    "ReadableStreamDefaultReader",
    "ReadableWritablePair",
    "StreamError",
    "TransformStream",
    "TransformStreamDefaultController",
    "WritableStream",
    "WritableStreamDefaultController",
    "WritableStreamDefaultWriter",
    "queue_microtask",
]
