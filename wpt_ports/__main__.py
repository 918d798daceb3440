"""``python -m wpt_ports``: how many upstream subtests are ported; with ``--json`` which."""

from __future__ import annotations

import argparse
import json

from .catalogue import stale_entries, status, unlisted_ports


def main() -> int:
    """Print the table; the exit status is 1 if a title is missing, or an entry of the lists or a port wrong."""
    parser = argparse.ArgumentParser(prog="python -m wpt_ports", description=__doc__)
    parser.add_argument("--json", action="store_true", help='print {file: {title: "ported" or "not applicable: why"}}')
    arguments = parser.parse_args()
    table = status()
    missing = [f"{file}: {title}" for file, titles in table.items() for title, state in titles.items() if state is None]
    if arguments.json:
        known = {file: {title: state for title, state in titles.items() if state} for file, titles in table.items()}
        print(json.dumps(known, indent=1, ensure_ascii=False))
    else:
        print_table(table)
        for line in missing:
            print(f"missing: {line}")
    stale = stale_entries()
    unlisted = unlisted_ports()
    if not arguments.json:
        for line in stale:
            print(f"stale entry in not_applicable.json: {line}")
        for line in unlisted:
            print(f"not a title of upstream, or listed twice: {line}")
    return 1 if missing or stale or unlisted else 0


def print_table(table: dict[str, dict[str, str | None]]) -> None:
    """Print a line per file, and the total."""
    width = max(len(file) for file in table)
    print(f"{'file':{width}}  upstream  ported  not applicable  missing")
    total = [0, 0, 0, 0]
    for file, titles in table.items():
        states = list(titles.values())
        ported = states.count("ported")
        missing = states.count(None)
        counts = [len(states), ported, len(states) - ported - missing, missing]
        total = [a + b for a, b in zip(total, counts, strict=True)]
        print_line(file, counts, width)
    print_line("total", total, width)


def print_line(name: str, counts: list[int], width: int) -> None:
    """Print one line of the table."""
    print(f"{name:{width}}  {counts[0]:8}  {counts[1]:6}  {counts[2]:14}  {counts[3]:7}")


if __name__ == "__main__":
    raise SystemExit(main())
