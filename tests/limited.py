"""Programs that run with a limit of memory and of time: what goes wrong in them harms nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import webstreams

GIB = 1 << 30

LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_AS, ({0}, {0}))\n"


def run_limited(program: str, *args: str, memory: int = GIB, seconds: float = 60) -> str:
    """Run a program in a process of its own, which may take so much memory (bytes) and time; return what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (_root(), Path(__file__).parents[1])))}
    done = subprocess.run(
        [sys.executable, "-c", LIMIT.format(memory) + textwrap.dedent(program), *args],
        capture_output=True,
        text=True,
        timeout=seconds,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _root() -> Path:
    """Where the package is that is tested."""
    return Path(webstreams.__file__).parents[1]
