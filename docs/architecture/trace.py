"""Print what is called for one chunk: through a pipe, and through one TransformStream, on the plain path.

``python docs/architecture/trace.py`` prints what ARCHITECTURE.md shows. It needs the build that is not compiled, for
compiled functions cannot be watched. A line is a call, as module:function; what it calls is indented below it. A line
that is not indented is a job that the queue runs. ``>`` marks a callback of the user.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

os.environ["WEBSTREAMS_FAST_PATHS"] = "0"

from webstreams import ReadableStream, TransformStream, WritableStream, compiled

CHUNKS = 8
# The pull that begins what is shown: by then every chunk takes the same way.
SHOWN = 5
# The methods of the job queue that run jobs.
RUNNERS = {"_run_jobs", "run_until", "run_pending"}
# What it does when it looks at the clock, and when the time of the turn is up: that depends on the machine.
CLOCK = {"_restart_clock", "_run_jobs", "_run_turn", "is_late", "schedule"}


class Walk:
    """Notes the calls between two pulls of the source."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def start(self) -> None:
        """Begin with the job that is under way."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and depth_of(frame) >= 0:
            self._note(frame, "call", None)
            frame = frame.f_back
        self.lines.reverse()
        sys.setprofile(self._note)

    def stop(self) -> None:
        """End before the job that is under way."""
        sys.setprofile(None)
        while self.lines.pop().startswith(" "):
            pass

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_name
        if event != "call" or name.startswith("<") or name in CLOCK:
            return
        module = frame.f_globals["__name__"]
        if module.startswith("webstreams."):
            call = f"{module.removeprefix('webstreams.')}:{frame.f_code.co_qualname}"
        elif module == __name__ and "Walk" not in frame.f_code.co_qualname:
            call = f"> {frame.f_code.co_qualname}"
        else:
            return
        self.lines.append("  " * depth_of(frame) + call)


def depth_of(frame: FrameType) -> int:
    """Return how many calls are between this one and what runs the jobs; -1 outside of jobs."""
    depth = 0
    if frame.f_code.co_name in RUNNERS:
        return -1
    outer = frame.f_back
    while outer is not None and outer.f_code.co_name not in RUNNERS:
        depth += 1
        outer = outer.f_back
    return depth


class Source:
    """Gives numbers, one for each pull; the walk begins and ends where it gives one."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._pulls = 0

    def pull(self, controller: Any) -> None:
        """Enqueue a chunk."""
        self._pulls += 1
        if self._pulls == SHOWN + 1:
            self._walk.stop()
        if self._pulls == SHOWN:
            self._walk.start()
        if self._pulls == CHUNKS:
            controller.close()
        else:
            controller.enqueue(self._pulls)


class Transformer:
    """Gives each chunk on."""

    def transform(self, chunk: int, controller: Any) -> None:
        """Enqueue the chunk."""
        controller.enqueue(chunk)


class Sink:
    """Takes numbers."""

    def write(self, chunk: int, controller: Any) -> None:
        """Do nothing with the chunk."""


async def through_a_pipe(walk: Walk) -> None:
    """source -> pipe -> sink"""
    await ReadableStream(Source(walk)).pipe_to(WritableStream(Sink()))


async def through_a_transform(walk: Walk) -> None:
    """source -> pipe -> TransformStream -> pipe -> sink"""
    transform = TransformStream[int, int](Transformer())
    await ReadableStream(Source(walk)).pipe_through(transform).pipe_to(WritableStream(Sink()))


def walk_of(program: Callable[[Walk], Any]) -> list[str]:
    """Run a program; return the calls of one chunk."""
    walk = Walk()
    asyncio.run(program(walk))
    return walk.lines


def main() -> None:
    """Print both walks."""
    if compiled:
        sys.exit("compiled functions cannot be watched: install webstreams without WEBSTREAMS_MYPYC")
    for program in (through_a_pipe, through_a_transform):
        lines = walk_of(program)
        print(f"{program.__doc__} ({len(lines)} calls)")
        print()
        print("\n".join(lines))
        print()


if __name__ == "__main__":
    main()
