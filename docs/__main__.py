"""Builds the site, without the network: ``python -m docs [FOLDER]``. A warning is an error.

Needs what the extra `docs` installs. The site is static files; search works in the browser.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sphinx.cmd.build import build_main

HERE = Path(__file__).resolve().parent
DEFAULT = HERE.parent / ".cache" / "site"


def build(folder: Path) -> int:
    """Build the site into a folder; return the exit status."""
    trees = folder.parent / f"{folder.name}-doctrees"
    options = ["-q", "-n", "-W", "--keep-going", "-b", "html", "-d", str(trees)]
    return build_main([*options, str(HERE), str(folder)])


def main(arguments: Sequence[str]) -> int:
    """Build the site where the arguments say, and tell where it begins."""
    folder = Path(arguments[0]) if arguments else DEFAULT
    status = build(folder)
    if status == 0:
        print(folder / "index.html")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
