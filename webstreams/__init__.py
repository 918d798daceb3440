"""The WHATWG Streams Standard for Python and asyncio: streams with backpressure.

A `ReadableStream` is read, a `WritableStream` is written to, and a `TransformStream` is both. A pipe moves chunks (any
objects) from one to the next; a slow consumer slows its producer down, so that memory stays flat.

>>> import asyncio
>>> from webstreams import ReadableStream, TransformStream, WritableStream
>>> async def main() -> None:
...     words = ReadableStream.from_(["slow", "and", "steady"])
...     upper = TransformStream({"transform": lambda word, controller: controller.enqueue(word.upper())})
...     await words.pipe_through(upper).pipe_to(WritableStream({"write": lambda word, controller: print(word)}))
>>> asyncio.run(main())
SLOW
AND
STEADY

- Streams: `ReadableStream`, `WritableStream`, `TransformStream`, their readers, writers, controllers and strategies.
- Stopping: `AbortController`, `AbortSignal`; errors: `AbortError`, `StreamError`, `DataError`, `LimitExceeded`.
- Text and compression: `TextDecoderStream`, `TextEncoderStream`, `CompressionStream`, `DecompressionStream`, `lines`.
- Ends: `read_file`, `write_file`, `open_process`, `connect_tcp`, `serve_tcp`, `from_response`, `to_request_body`, ...
- Several streams: `merge`, `concat`, `zip_streams`, `share`, `channel`, `from_producer`, `pipeline`, `compose`.
- Modules: `webstreams.threads` (streams and threads), `webstreams.operations` (for libraries), `webstreams.brokers`,
  `webstreams.types` (for annotations).

``help(webstreams.ReadableStream)`` and the other docstrings say what each name guarantees and raises. README.md and
docs/guides are at https://github.com/webstreams/webstreams; the Standard is at https://streams.spec.whatwg.org.
"""

from typing import TYPE_CHECKING

from ._engine.build import compiled
from ._engine.jobs import queue_microtask
from ._engine.promise import Promise
from ._fastpath.policy import install as _install_fast_path
from ._platform.errors import AbortError, DataError, StreamError
from ._platform.lazy import LazyNames as _LazyNames
from ._streams.abort import AbortController, AbortSignal, Event
from ._streams.readable.byob_reader import ReadableStreamBYOBReader
from ._streams.readable.byob_request import ReadableStreamBYOBRequest
from ._streams.readable.byte_controller import ReadableByteStreamController
from ._streams.readable.controller import ReadableStreamDefaultController
from ._streams.readable.iterator import ReadableStreamAsyncIterator
from ._streams.readable.operators.marks import SKIP
from ._streams.readable.reader import ReadableStreamDefaultReader
from ._streams.readable.stream import ReadableStream
from ._streams.results import ReadDoneResult, ReadValueResult
from ._streams.strategy import ByteLengthQueuingStrategy, CountQueuingStrategy
from ._streams.transform.controller import TransformStreamDefaultController
from ._streams.transform.stream import TransformStream
from ._streams.writable.controller import WritableStreamDefaultController
from ._streams.writable.stream import WritableStream
from ._streams.writable.writer import WritableStreamDefaultWriter
from .consumers import LimitExceeded
from .ends import __all__ as _ENDS
from .types import ReadableWritablePair

if TYPE_CHECKING:
    from ._flow.byte_sources import from_bytes
    from ._flow.channels import channel
    from ._flow.finishing import finished
    from ._flow.merging import concat, merge
    from ._flow.pipelines import compose, pipeline
    from ._flow.policies import Lagged
    from ._flow.producing import from_producer
    from ._flow.sharing import Shared, Subscription, share
    from ._flow.zipping import zip_streams
    from .compression import CompressionFormat, CompressionStream, DecompressionStream
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
    from .shaping import ChunkedStream, LineStream, chunked, lines
else:
    __getattr__ = _LazyNames(
        __name__,
        {
            "._flow.byte_sources": ("from_bytes",),
            "._flow.channels": ("channel",),
            "._flow.finishing": ("finished",),
            "._flow.merging": ("concat", "merge"),
            "._flow.pipelines": ("compose", "pipeline"),
            "._flow.policies": ("Lagged",),
            "._flow.producing": ("from_producer",),
            "._flow.sharing": ("Shared", "Subscription", "share"),
            "._flow.zipping": ("zip_streams",),
            ".compression": ("CompressionFormat", "CompressionStream", "DecompressionStream"),
            ".encoding": ("TextDecoderStream", "TextEncoderStream"),
            ".ends": _ENDS,  # which knows in which of its modules they are
            ".shaping": ("ChunkedStream", "LineStream", "chunked", "lines"),
        },
        submodules=(
            *("brokers", "compression", "consumers", "encoding", "ends"),
            *("observe", "operations", "shaping", "threads", "workers"),
        ),
    )

# The version of the package: pyproject.toml reads it from here.
__version__ = "0.1.0"

_install_fast_path()

__all__ = [
    "SKIP",
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
    "DataError",
    "DecompressionStream",
    "Event",
    "GeneratorTransform",
    "Lagged",
    "LimitExceeded",
    "LineStream",
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
    "Shared",
    "StreamError",
    "Subscription",
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
    "channel",
    "chunked",
    "compiled",
    "compose",
    "concat",
    "connect_tcp",
    "connect_unix",
    "finished",
    "from_blocking_iterable",
    "from_byte_stream",
    "from_bytes",
    "from_object_stream",
    "from_producer",
    "from_queue",
    "from_response",
    "from_stream_reader",
    "generator_transform",
    "lines",
    "merge",
    "open_process",
    "pipeline",
    "queue_microtask",
    "read_file",
    "send_response",
    "serve_tcp",
    "serve_unix",
    "share",
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
    "zip_streams",
]
