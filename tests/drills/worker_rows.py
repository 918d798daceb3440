"""Rows of the workers and of transferred streams."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from webstreams import ReadableStream, TransformStream, WritableStream, WritableStreamDefaultController
from webstreams.workers import Stage, message_channel, receive, transfer, worker

from .rows import Drill, endless, silent, sink, source, transform


def same(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield from chunks


def hang(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Take a chunk, and give none."""
    next(iter(chunks))
    time.sleep(1000)
    yield b""


def wait_for(event: threading.Event, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same in a thread, until the drill is over."""
    next(iter(chunks))
    event.wait()
    yield b""


async def started(stage: Stage[Any, Any], drill: Drill) -> Stage[Any, Any]:
    """Start it as ``async with`` does; the drill has it until it is over."""
    drill.peers.callback(lambda: stage)
    return await stage.__aenter__()


@transform("worker, a process", states=("stalled",))
async def process(drill: Drill) -> Any:
    return await started(worker(hang, grace=0.1), drill)


@transform("worker, a thread", threads=1)
async def thread(drill: Drill) -> Any:
    event = threading.Event()
    drill.peers.callback(event.set)
    return await started(worker(partial(wait_for, event) if drill.is_stalled else same, kind="thread"), drill)


async def transferred(stream: Any) -> Any:
    """Transfer a stream to ourselves."""
    here, there = message_channel()
    with here, there:
        transfer(stream, here, window=4)
        return await receive(there)


@source("transferred readable stream")
async def readable(drill: Drill) -> ReadableStream[Any]:
    found: ReadableStream[Any] = await transferred(silent() if drill.is_stalled else endless())
    return found


@sink("transferred writable stream")
async def writable(drill: Drill) -> WritableStream[Any]:
    stuck: WritableStream[Any] = WritableStream({"write": wait_for_the_abort})
    found: WritableStream[Any] = await transferred(stuck if drill.is_stalled else WritableStream())
    return found


async def wait_for_the_abort(chunk: Any, controller: WritableStreamDefaultController) -> None:
    aborted = asyncio.Event()
    controller.signal.add_event_listener("abort", lambda _: aborted.set())
    await aborted.wait()


@transform("transferred transform stream", states=("running", "not begun"))
async def transform_stream(drill: Drill) -> Any:
    return await transferred(TransformStream())
