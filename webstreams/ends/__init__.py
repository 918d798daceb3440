"""Ends: streams over files, sockets, processes, HTTP and other things that programs read and write."""

from typing import TYPE_CHECKING

from .._platform.lazy import LazyNames

if TYPE_CHECKING:
    from .asgi import asgi_request_body, asgi_response, send_response
    from .asyncio_streams import as_stream_reader, as_stream_writer, from_stream_reader, to_stream_writer
    from .files import TruncatedFileError, read_file, write_file
    from .http import RequestBody, from_response, to_request_body
    from .iterables import (
        GeneratorTransform,
        as_blocking_iterable,
        from_blocking_iterable,
        generator_transform,
        to_callable,
        to_generator,
    )
    from .object_streams import (
        as_byte_stream,
        as_object_stream,
        from_byte_stream,
        from_object_stream,
        to_byte_stream,
        to_object_stream,
    )
    from .processes import Process, open_process
    from .queues import from_queue, to_queue
    from .sockets import Connection, ConnectionServer, connect_tcp, connect_unix, serve_tcp, serve_unix
    from .standard import standard_error, standard_input, standard_output
else:
    __getattr__ = LazyNames(
        __name__,
        {
            ".asgi": ("asgi_request_body", "asgi_response", "send_response"),
            ".asyncio_streams": ("as_stream_reader", "as_stream_writer", "from_stream_reader", "to_stream_writer"),
            ".files": ("TruncatedFileError", "read_file", "write_file"),
            ".http": ("RequestBody", "from_response", "to_request_body"),
            ".iterables": (
                "GeneratorTransform",
                "as_blocking_iterable",
                "from_blocking_iterable",
                "generator_transform",
                "to_callable",
                "to_generator",
            ),
            ".object_streams": (
                "as_byte_stream",
                "as_object_stream",
                "from_byte_stream",
                "from_object_stream",
                "to_byte_stream",
                "to_object_stream",
            ),
            ".processes": ("Process", "open_process"),
            ".queues": ("from_queue", "to_queue"),
            ".sockets": ("Connection", "ConnectionServer", "connect_tcp", "connect_unix", "serve_tcp", "serve_unix"),
            ".standard": ("standard_error", "standard_input", "standard_output"),
        },
    )

__all__ = [
    "Connection",
    "ConnectionServer",
    "GeneratorTransform",
    "Process",
    "RequestBody",
    "TruncatedFileError",
    "as_blocking_iterable",
    "as_byte_stream",
    "as_object_stream",
    "as_stream_reader",
    "as_stream_writer",
    "asgi_request_body",
    "asgi_response",
    "connect_tcp",
    "connect_unix",
    "from_blocking_iterable",
    "from_byte_stream",
    "from_object_stream",
    "from_queue",
    "from_response",
    "from_stream_reader",
    "generator_transform",
    "open_process",
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
