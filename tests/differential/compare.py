"""Run random programs through two implementations and compare what they log.

    python tests/differential/compare.py --count 300                 # webstreams against the reference
    python tests/differential/compare.py --pipes --first 1000
    python tests/differential/compare.py --left native --right reference
    python tests/differential/compare.py --shrink 17 [--pipes]       # the smallest program that still differs
    python tests/differential/compare.py --show 17                   # a program and both its logs

An implementation is `python`, `reference`, `polyfill` or `native`. Node is `$NODE` or the one on the path;
`$STREAMS_REFERENCE` is the folder of the built reference implementation, `$STREAMS_POLYFILL` one that has
web-streams-polyfill in its node_modules.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeAlias

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
if __package__ in (None, ""):
    sys.path.insert(0, str(HERE.parent))
    __package__ = HERE.name  # run as a script

from .generate import generate  # noqa: E402
from .show import show_program  # noqa: E402

Program: TypeAlias = dict[str, Any]
Log: TypeAlias = list[str]

TIMEOUT_SECONDS = 120.0
HANG_SECONDS = 10.0
BATCH = 100


@dataclass(frozen=True)
class Implementation:
    """A way to run programs: a command that reads them and prints their logs, line by line."""

    name: str
    command: tuple[str, ...]

    def run(self, programs: Sequence[Program]) -> list[Log]:
        """The logs of `programs`; one that hangs or crashes the process gets a log that says so."""
        logs: list[Log] = []
        batch = BATCH
        while len(logs) < len(programs):
            part = programs[len(logs) : len(logs) + batch]
            done, trouble = self._run_part(part)
            logs += done
            if trouble and len(part) == 1:
                logs.append([f"! {trouble}"])
            batch = 1 if trouble and not done else BATCH
        return logs

    def _run_part(self, programs: Sequence[Program]) -> tuple[list[Log], str]:
        text = "".join(json.dumps(program) + "\n" for program in programs)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NODE_NO_WARNINGS": "1"}
        timeout = HANG_SECONDS if len(programs) == 1 else TIMEOUT_SECONDS
        try:
            result = subprocess.run(
                self.command, input=text, capture_output=True, text=True, timeout=timeout, env=environment, check=False
            )
        except subprocess.TimeoutExpired as expired:
            output = expired.stdout or b""
            return _logs(output.decode() if isinstance(output, bytes) else output), "HANG"
        logs = _logs(result.stdout)
        return logs, "" if len(logs) == len(programs) else f"CRASH {result.stderr[-2000:]}"


def _logs(output: str) -> list[Log]:
    """The logs in a process's output, without a line that was cut off."""
    lines = output.split("\n")
    return [json.loads(line) for line in lines[:-1]]


def implementation(name: str, node: str | None = None, path: str | None = None) -> Implementation:
    """The implementation of that name; `node` and `path` instead of the environment's."""
    if name == "python":
        return Implementation(name, (sys.executable, str(HERE / "run_python.py")))
    command = [node or os.environ.get("NODE", "node"), str(HERE / "run_js.mjs"), "--impl", name]
    variable = {"reference": "STREAMS_REFERENCE", "polyfill": "STREAMS_POLYFILL"}.get(name)
    if variable is not None:
        command += ["--path", path or os.environ[variable]]
    return Implementation(name, tuple(command))


# Comparing.


def comparable(program: Program, log: Log) -> Log:
    """What has to be the same: all of a log, or with pipes, what each stream saw in each turn."""
    if not program["pipes"]:
        return log
    streams: dict[str, Log] = {}
    turn = ""
    for line in log:
        tag, _, text = line.partition(" ")
        if tag == "-":
            turn = text.removeprefix("turn ")
        elif tag != "m":
            streams.setdefault(tag, []).append(f"{tag} [{turn}] {text}")
    return [line for tag in sorted(streams) for line in streams[tag]]


def is_void(log: Log) -> bool:
    """Whether the implementation failed by itself, at an assertion for one: then it says nothing about the Standard."""
    return any(line.endswith(" InternalError") or line.startswith("! UNCAUGHT") for line in log)


def first_difference(left: Log, right: Log) -> tuple[int, str, str] | None:
    """The number and both sides of the first line that differs."""
    for number, (one, other) in enumerate(zip_longest(left, right, fillvalue="(nothing)")):
        if one != other:
            return number, one, other
    return None


def difference(program: Program, left: Log, right: Log) -> tuple[int, str, str] | None:
    """Where two logs of a program differ, in what has to be the same."""
    return first_difference(comparable(program, left), comparable(program, right))


# Shrinking: try smaller programs as long as the logs differ.


def reductions(value: Any) -> Iterator[Any]:
    """All values that are one part smaller than a part of a program."""
    if isinstance(value, list):
        for index in range(len(value)):
            yield value[:index] + value[index + 1 :]
        for index, item in enumerate(value):
            for smaller in reductions(item):
                yield [*value[:index], smaller, *value[index + 1 :]]
    elif isinstance(value, dict):
        yield from _reduced_members(value)
        for key, item in value.items():
            if isinstance(item, (dict, list)) and key not in ("v", "ids"):
                yield from ({**value, key: smaller} for smaller in reductions(item) if _is_whole(key, item, smaller))


def _is_whole(key: str, before: Any, after: Any) -> bool:
    """Whether a reduced part is still a program: an iterator needs its last step, which ends it."""
    return key != "next" or bool(after["runs"][-1:] == before["runs"][-1:])


STEPS = frozenset(("item", "resitem", "done"))
CALLBACKS = ("start", "pull", "cancel", "write", "close", "abort", "transform", "flush", "return")
OPTIONS = ("strategy", "writable", "readable", "auto", "size", "min", "pk", "pa", "pc", "sig", "throw")
REMOVABLE = frozenset((*CALLBACKS, *OPTIONS, "acts", "end"))


def _reduced_members(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in value:
        needed = (key == "throw" and "ret" not in value) or (key == "end" and value[key]["k"] in STEPS)
        if key in REMOVABLE and not needed:
            yield {name: item for name, item in value.items() if name != key}
    if "async" in value:
        if value.get("end", {}).get("k") not in STEPS:
            yield {"acts": [item for item in value["async"] if not item["op"].startswith("await")]}
    if value.get("op") == "await" and value["n"] > 1:
        yield {**value, "n": value["n"] - 1}
    if value.get("op") in ("ticks", "drain") and value.get("n", value.get("max", 0)) > 1:
        key = "n" if "n" in value else "max"
        yield {**value, key: value[key] - 1}


def smaller_programs(program: Program) -> Iterator[Program]:
    """All programs that are one part smaller, or have two turns joined."""
    turns = program["turns"]
    for index in range(len(turns) - 1):
        yield {**program, "turns": [*turns[:index], turns[index] + turns[index + 1], *turns[index + 2 :]]}
    for smaller in reductions(turns):
        yield {**program, "turns": [turn for turn in smaller if turn]}


def shrink(program: Program, left: Implementation, right: Implementation, report: bool = True) -> Program:
    """The smallest program found that the two implementations still disagree about."""
    smaller = _shrink_once(program, left, right)
    while smaller is not None:
        program = smaller
        if report:
            print(f"\r{len(json.dumps(program))} characters left   ", end="", file=sys.stderr, flush=True)
        smaller = _shrink_once(program, left, right)
    return program


def _shrink_once(program: Program, left: Implementation, right: Implementation) -> Program | None:
    """Take every reduction that works by itself, as many of them together as possible."""
    candidates = list(smaller_programs(program))
    candidates.sort(key=lambda candidate: len(json.dumps(candidate)))
    for start in range(0, len(candidates), BATCH):
        part = candidates[start : start + BATCH]
        lefts, rights = left.run(part), right.run(part)
        for candidate, one, other in zip(part, lefts, rights, strict=True):
            if not is_void(one) and not is_void(other) and difference(candidate, one, other) is not None:
                return copy.deepcopy(candidate)
    return None


# The command line.


def report(program: Program, left: Implementation, right: Implementation) -> None:
    """Print a program and both logs side by side."""
    (one,), (other,) = left.run([program]), right.run([program])
    print(show_program(program))
    one, other = comparable(program, one), comparable(program, other)
    width = max([len(line) for line in one] + [len(left.name)]) + 2
    print(f"\n    {left.name:{width}}{right.name}")
    for first, second in zip_longest(one, other, fillvalue=""):
        print(f"{'  ' if first == second else '* '}  {first:{width}}{second}")


def compare_many(programs: Sequence[Program], left: Implementation, right: Implementation, limit: int = 20) -> int:
    """Compare, print every disagreement up to `limit` and the agreement; give the number of disagreements."""
    lefts, rights = left.run(programs), right.run(programs)
    void = disagreements = lines = 0
    for program, one, other in zip(programs, lefts, rights, strict=True):
        lines += len(one)
        if is_void(one) or is_void(other):
            void += 1
            continue
        found = difference(program, one, other)
        if found is not None:
            disagreements += 1
            if disagreements <= limit:
                print(f"seed {program['seed']}, line {found[0]}: {left.name}: {found[1]} | {right.name}: {found[2]}")
    judged = len(programs) - void
    share = 100 * (judged - disagreements) / max(judged, 1)
    kind = "with pipes" if programs and programs[0]["pipes"] else "without pipes"
    print(
        f"{left.name} and {right.name}, {kind}: {judged - disagreements} of {judged} agree ({share:.2f} %), "
        f"{void} void, {lines / max(len(programs), 1):.0f} lines each"
    )
    return disagreements


def load(arguments: argparse.Namespace, seed: int) -> Program:
    """The program that the command line names."""
    if arguments.file is None:
        return generate(seed, pipes=arguments.pipes, without=arguments.without.split(","))
    loaded: Program = json.loads(arguments.file.read_text())
    return loaded


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--left", default="python")
    parser.add_argument("--right", default="reference")
    parser.add_argument("--pipes", action="store_true")
    parser.add_argument("--without", default="", help="features to leave out, such as byob,iteration")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--limit", type=int, default=20, help="how many disagreements to print")
    parser.add_argument("--shrink", type=int, metavar="SEED")
    parser.add_argument("--show", type=int, metavar="SEED")
    parser.add_argument("--file", type=Path, help="a program for --shrink or --show instead of a seed's")
    parser.add_argument("--save", type=Path, help="where to write the shrunk program")
    return parser.parse_args()


def main() -> int:
    """Do what the command line says."""
    arguments = parse()
    left, right = implementation(arguments.left), implementation(arguments.right)
    if arguments.show is not None:
        report(load(arguments, arguments.show), left, right)
        return 0
    if arguments.shrink is not None:
        program = shrink(load(arguments, arguments.shrink), left, right)
        if arguments.save:
            arguments.save.write_text(json.dumps(program))
        report(program, left, right)
        return 0
    seeds = range(arguments.first, arguments.first + arguments.count)
    without = arguments.without.split(",")
    programs = [generate(seed, pipes=arguments.pipes, without=without) for seed in seeds]
    return 1 if compare_many(programs, left, right, arguments.limit) else 0


if __name__ == "__main__":
    sys.exit(main())
