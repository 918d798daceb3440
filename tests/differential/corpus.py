"""The recorded corpus: programs with the logs that the reference implementation gave.

    python tests/differential/corpus.py     # records corpus/*.json.gz and known_polyfill_differences.json again

Recording needs Node, the built reference implementation and web-streams-polyfill, as compare.py does.
"""

from __future__ import annotations

import gzip
import json
import sys
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

HERE = Path(__file__).resolve().parent
if __package__ in (None, ""):
    sys.path.insert(0, str(HERE.parent))
    __package__ = HERE.name  # run as a script

from .compare import Implementation, Log, Program, difference, implementation, is_void  # noqa: E402
from .generate import generate  # noqa: E402

Record: TypeAlias = dict[str, Any]

FOLDER = HERE / "corpus"
KNOWN = HERE / "known_polyfill_differences.json"
SIZES = {"plain": 400, "pipes": 200}
SHORTEST = 15
POLYFILL_PROGRAMS = 300
POLYFILL_LACKS = ("from", "iteration")


def load(name: str) -> list[Record]:
    """The records of one file: each has a `program` and its `log`."""
    with gzip.open(FOLDER / f"{name}.json.gz", "rt") as file:
        records: list[Record] = json.load(file)
    return records


def save(name: str, records: list[Record]) -> None:
    """Write one file; the same records give the same bytes."""
    text = json.dumps(records, separators=(",", ":"))
    (FOLDER / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def record(name: str, reference: Implementation, polyfill: Implementation) -> list[Record]:
    """Programs of the first seeds that do enough, with the reference's logs.

    With pipes, only programs that two independent pipes agree about: the Standard leaves nothing open there.
    """
    records: list[Record] = []
    for first in count(0, 100):
        programs = [generate(seed, pipes=name == "pipes", without=("races",)) for seed in range(first, first + 100)]
        logs = zip(programs, reference.run(programs), polyfill.run(programs), strict=True)
        records += [
            {"program": program, "log": log} for program, log, other in logs if _is_telling(program, log, other)
        ]
        if len(records) >= SIZES[name]:
            break
    return records[: SIZES[name]]


def _is_telling(program: Program, log: Log, other: Log) -> bool:
    if len(log) < SHORTEST or is_void(log):
        return False
    return not program["pipes"] or difference(program, log, other) is None


def polyfill_programs() -> list[Program]:
    """The programs for the comparison with web-streams-polyfill: without what it does not do by the Standard."""
    return [generate(seed, without=POLYFILL_LACKS) for seed in range(POLYFILL_PROGRAMS)]


def known_differences() -> dict[str, str]:
    """Seeds of `polyfill_programs` that say nothing, with the reason."""
    known: dict[str, str] = json.loads(KNOWN.read_text())
    return known


def find_known(reference: Implementation, polyfill: Implementation) -> dict[str, str]:
    """Where the polyfill and the reference implementation disagree, or the reference has no say."""
    programs = polyfill_programs()
    known: dict[str, str] = {}
    for program, one, other in zip(programs, polyfill.run(programs), reference.run(programs), strict=True):
        reason = _reason(program, one, other)
        if reason:
            known[str(program["seed"])] = reason
    return known


def _reason(program: Program, polyfill: Log, reference: Log) -> str:
    if is_void(reference):
        return "the reference implementation fails by itself"
    found = difference(program, polyfill, reference)
    return f"polyfill logs {found[1]!r} where the reference logs {found[2]!r}" if found else ""


def main() -> None:
    """Record everything."""
    reference, polyfill = implementation("reference"), implementation("polyfill")
    for name in SIZES:
        save(name, record(name, reference, polyfill))
        print(name, (FOLDER / f"{name}.json.gz").stat().st_size, "bytes")
    known = find_known(reference, polyfill)
    KNOWN.write_text(json.dumps(known, indent=2) + "\n")
    print(len(known), "known differences of the polyfill")


if __name__ == "__main__":
    main()
