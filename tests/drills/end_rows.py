"""Rows of the ends: files, FIFOs, standard streams, child processes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from webstreams import (
    ReadableStream,
    WritableStream,
    open_process,
    read_file,
    standard_input,
    standard_output,
    write_file,
)

from .rows import BYTES, Drill, sink, source


@sink("write_file", states=("running", "not begun"))
async def file(drill: Drill) -> WritableStream[Any]:
    return write_file(drill.out / "file")


@sink("write_file, create", states=("running", "not begun"))
async def new_file(drill: Drill) -> WritableStream[Any]:
    return write_file(drill.out / "file", mode="create")


@sink("write_file, a FIFO", states=("stalled",))
async def fifo(drill: Drill) -> WritableStream[Any]:
    path = drill.folder / "fifo"
    os.mkfifo(path)
    drill.peers.callback(os.close, os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    return write_file(path)


@sink("write_file, a FIFO that nobody reads", states=("stalled",))
async def lonely_fifo(drill: Drill) -> WritableStream[Any]:
    path = drill.folder / "fifo"
    os.mkfifo(path)
    return write_file(path)


@sink("open_process")
async def child_input(drill: Drill) -> WritableStream[Any]:
    """The child publishes a file when its input has ended."""
    work = "sleep 1000; true" if drill.is_stalled else "cat >/dev/null"
    process = await open_process("sh", "-c", f"exec 3>&-; {work} && echo whole >{drill.out}/file", group=True)
    drill.peers.callback(lambda: process)
    return process.writable


class Descriptor:
    """One end of a pipe in the place of a standard stream, until the drill is over."""

    def __init__(self, drill: Drill, number: int, ours: int, theirs: int) -> None:
        saved = os.dup(number)
        os.dup2(ours, number)
        os.close(ours)
        drill.peers.callback(os.close, theirs)
        drill.peers.callback(os.close, saved)
        drill.peers.callback(os.dup2, saved, number)


@sink("standard_output", states=("stalled",))
async def output(drill: Drill) -> WritableStream[Any]:
    theirs, ours = os.pipe()
    sys.stdout.flush()
    Descriptor(drill, 1, ours, theirs)
    return standard_output()


@source("standard_input", states=("stalled",))
async def input_(drill: Drill) -> ReadableStream[Any]:
    ours, theirs = os.pipe()
    Descriptor(drill, 0, ours, theirs)
    return standard_input()


@source("read_file", states=("running", "not begun"))
async def read(drill: Drill) -> ReadableStream[Any]:
    return read_file("/dev/zero", chunk_size=1000)


@source("read_file, followed", states=("stalled",))
async def followed(drill: Drill) -> ReadableStream[Any]:
    path = drill.folder / "file"
    path.write_bytes(BYTES)
    return read_file(path, follow=True)


@source("read_file, a FIFO", states=("stalled",))
async def from_fifo(drill: Drill) -> ReadableStream[Any]:
    path = drill.folder / "fifo"
    os.mkfifo(path)
    return read_file(path)


@source("open_process")
async def child_output(drill: Drill) -> ReadableStream[Any]:
    program = ("sleep", "1000") if drill.is_stalled else ("cat", "/dev/zero")
    process = await open_process(*program, stdin=subprocess.DEVNULL)
    drill.peers.callback(lambda: process)
    return process.readable
