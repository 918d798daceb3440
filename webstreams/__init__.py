"""webstreams: the WHATWG Streams Standard for asyncio."""

from ._abort import AbortController, AbortSignal, Event
from ._build import compiled
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
from .compression import CompressionFormat, CompressionStream, DecompressionStream
from .consumers import LimitExceeded
from .encoding import TextDecoderStream, TextEncoderStream
from .ends import (
    Connection,
    ConnectionServer,
    GeneratorTransform,
    Process,
    RequestBody,
    TruncatedFileError,
    as_blocking_iterable,
    as_byte_stream,
    as_object_stream,
    as_stream_reader,
    as_stream_writer,
    asgi_request_body,
    asgi_response,
    connect_tcp,
    connect_unix,
    from_blocking_iterable,
    from_byte_stream,
    from_object_stream,
    from_queue,
    from_response,
    from_stream_reader,
    generator_transform,
    open_process,
    read_file,
    send_response,
    serve_tcp,
    serve_unix,
    standard_error,
    standard_input,
    standard_output,
    to_byte_stream,
    to_callable,
    to_generator,
    to_object_stream,
    to_queue,
    to_request_body,
    to_stream_writer,
    write_file,
)
from .shaping import ChunkedStream, chunked, lines

__all__ = [
    "AbortController",
    "AbortError",
    "AbortSignal",
    "ByteLengthQueuingStrategy",
    "ChunkedStream",
    "CompressionFormat",
    "CompressionStream",
    "Connection",
    "ConnectionServer",
    "CountQueuingStrategy",
    "DecompressionStream",
    "Event",
    "GeneratorTransform",
    "LimitExceeded",
    "Process",
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
    "RequestBody",
    "StreamError",
    "TextDecoderStream",
    "TextEncoderStream",
    "TransformStream",
    "TransformStreamDefaultController",
    "TruncatedFileError",
    "WritableStream",
    "WritableStreamDefaultController",
    "WritableStreamDefaultWriter",
    "as_blocking_iterable",
    "as_byte_stream",
    "as_object_stream",
    "as_stream_reader",
    "as_stream_writer",
    "asgi_request_body",
    "asgi_response",
    "chunked",
    "compiled",
    "connect_tcp",
    "connect_unix",
    "from_blocking_iterable",
    "from_byte_stream",
    "from_object_stream",
    "from_queue",
    "from_response",
    "from_stream_reader",
    "generator_transform",
    "lines",
    "open_process",
    "queue_microtask",
    "read_file",
    "send_response",
    "serve_tcp",
    "serve_unix",
    "standard_error",
    "standard_input",
    "standard_output",
    "to_byte_stream",
    "to_callable",
    "to_generator",
    "to_object_stream",
    "to_queue",
    "to_request_body",
    "to_stream_writer",
    "write_file",
]
