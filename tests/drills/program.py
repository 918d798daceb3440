"""The programs that are interrupted: python -m tests.drills.program TABLE...

A process that has imported the tables, and forks one for each drill, in a tenth of the time. What it is told, by
a line, is a row, a state and a folder. What it says: "ready" and the number of the process when the pipe is in its
state, "ended" and the exit code when the process is gone. What the process itself says is in the folder.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from webstreams._engine import jobs

from .drill import SHORT_TURN, begin, reach_state
from .rows import ROWS, Drill

ERRORS: Final = "stderr"
# What a drill may meet when its interpreter ends, and what that needs itself. Other modules are not taken to pieces:
# that takes as long as all else that a drill does, most of all where there are clients and servers of HTTP.
STANDARD: Final = {"_io", "_thread", "asyncio", "atexit", "builtins", "codecs", "encodings", "io", "logging", "signal"}
TAKEN_TO_PIECES: Final = {"__main__", "sys", "tests", "threading", "webstreams"} | STANDARD
# What a package imports when it is used first, if a table imports the package: once, and not in each process.
LATE: Final = {
    "anyio": ["anyio._backends._asyncio", "anyio.streams.tls"],
    "httpx": ["anyio._backends._asyncio", "httpcore"],
    "httpx2": ["anyio._backends._asyncio", "httpcore2"],
    "ssl": ["encodings.idna"],
    "uvicorn": ["uvicorn.protocols.http.h11_impl", "uvicorn.protocols.websockets.auto", "uvicorn.lifespan.off"],
}


async def interrupted(name: str, drill: Drill, tell: Any) -> None:
    """Await a pipe; say when it is in its state."""
    pipe, counter = await begin(ROWS[name], drill)
    ready = asyncio.create_task(reach_state(drill, counter))
    ready.add_done_callback(lambda _: tell(f"ready {os.getpid()}"))
    await pipe


def run(name: str, state: Any, folder: str, tell: Any) -> None:
    """Do what a program does: it is ended by the interrupt."""
    os.setsid()
    errors = os.open(Path(folder, ERRORS), os.O_WRONLY | os.O_CREAT)
    os.dup2(errors, 2)
    os.close(errors)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    drill = Drill(state, Path(folder))
    try:
        asyncio.run(interrupted(name, drill, tell))
    finally:
        leave_modules_of_others()
        sys.stderr.write(f"published: {bool(drill.published())}\n")


def leave_modules_of_others() -> None:
    """Have the end of the interpreter find the modules that a drill is about, and no others."""
    others = [sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] not in TAKEN_TO_PIECES]
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(others))


def main() -> None:
    """Fork a process for each line."""
    for table in sys.argv[1:]:
        importlib.import_module(table)
    for late in [each for package, names in LATE.items() if package in sys.modules for each in names]:
        importlib.import_module(late)
    jobs.TURN_BUDGET = SHORT_TURN
    words, news = os.fdopen(os.dup(0)), os.dup(1)  # the drills have these numbers for their own

    def tell(what: str) -> None:
        os.write(news, f"{what}\n".encode())

    gc.collect()
    gc.freeze()
    for line in words:
        process = os.fork()
        if not process:
            words.close()
            name, state, folder = json.loads(line)
            run(name, state, folder, tell)
            return
        _, status = os.waitpid(process, 0)
        tell(f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
