"""The program that is interrupted: python -m tests.drills.program ROW STATE FOLDER"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

from .drill import begin, reach_state
from .rows import ROWS, Drill


async def main(name: str, state: Any, folder: str) -> None:
    """Await a pipe; say when it is in its state."""
    drill = Drill(state, Path(folder))
    pipe, counter = await begin(ROWS[name], drill)
    ready = asyncio.create_task(reach_state(drill, counter))
    ready.add_done_callback(lambda _: sys.stderr.write("ready\n"))
    try:
        await pipe
    finally:
        sys.stderr.write(f"published: {bool(drill.published())}\n")


if __name__ == "__main__":
    asyncio.run(main(*cast("tuple[str, Any, str]", sys.argv[1:])))
