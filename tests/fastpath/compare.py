"""Compares random programs on both paths, and shrinks one that differs.

``python -m tests.fastpath.compare [--program NAME] [--mode 1|check|emitted] FIRST LAST`` runs the programs of these
seeds on the plain path and in that mode: piped, piped_together, read_from, written, mixed, generated, operated,
of_bytes or filled. Of the first one that differs, the smallest program that still does is shown: fewer throws of the
dice (`Dice`), each of them calm if it can be.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import zip_longest

from .byte_streams import of_bytes
from .filling import filled
from .generators import generated
from .mixtures import mixed
from .operators import operated
from .programs import CALM, CHECK, EMITTED, OFF, ON, Dice, Log, Outcome, Program, piped, piped_together, read_from, run
from .writers import written

MakeLoop = Callable[[], asyncio.AbstractEventLoop]

PROGRAMS: dict[str, Program] = {
    each.__name__: each
    for each in (piped, piped_together, read_from, written, mixed, generated, operated, of_bytes, filled)
}

# So many programs are tried to shrink one.
MAX_ATTEMPTS = 600
# Lines of the logs that are shown before the difference.
CONTEXT = 12


def compare(seed: int, make_loop: MakeLoop, mode: str, program: Program) -> int:
    """Run a program on both paths; return the number of periods on the fast path. AssertionError if they differ."""
    plain, throws = on_the_plain_path(seed, make_loop, program)
    assert plain.periods == 0
    other = run(Dice(seed), make_loop, mode, program)
    if other.log != plain.log or other.differences:
        raise AssertionError(f"seed {seed} of {program.__name__}:\n" + shrunk(throws, make_loop, mode, program))
    return other.periods


@cache
def on_the_plain_path(seed: int, make_loop: MakeLoop, program: Program) -> tuple[Outcome, list[float]]:
    """Run a program without the fast path, once for all modes that are compared with it; give its throws, too."""
    dice = Dice(seed)
    return run(dice, make_loop, OFF, program), dice.throws


def differs(seed: int, make_loop: MakeLoop, mode: str, program: Program) -> bool:
    """Whether a program does not do the same on both paths."""
    plain = run(Dice(seed), make_loop, OFF, program)
    other = run(Dice(seed), make_loop, mode, program)
    return bool(other.log != plain.log or other.differences)


def difference(throws: Sequence[float], make_loop: MakeLoop, mode: str, program: Program) -> str:
    """Tell how the paths differ for these throws; an empty text if they do not."""
    plain = run(Dice(throws=throws), make_loop, OFF, program)
    other = run(Dice(throws=throws), make_loop, mode, program)
    if other.log == plain.log:
        return "\n".join(other.differences)
    return "\n".join([*_first_difference(plain.log, other.log), *other.differences])


def _first_difference(plain: Log, other: Log) -> Iterator[str]:
    for number, (one, two) in enumerate(zip_longest(plain, other, fillvalue="(nothing)")):
        if one != two:
            yield from (f"  both        {each}" for each in plain[max(0, number - CONTEXT) : number])
            yield f"  plain path  {one}"
            yield f"  fast path   {two}"
            return


def shrunk(throws: Sequence[float], make_loop: MakeLoop, mode: str, program: Program) -> str:
    """Tell what the smallest program does that still differs."""
    found = list(throws)
    text = difference(found, make_loop, mode, program)
    if not text:
        return "it differs only now and then"
    for attempt, smaller in enumerate(reductions(found)):
        smaller_text = difference(smaller, make_loop, mode, program)
        if smaller_text:
            found[:] = smaller
            text = smaller_text
        if attempt >= MAX_ATTEMPTS:
            break
    shown = [round(each, 3) for each in found]
    return f"{text}\nof {len(throws)} throws these {len(found)} are left: {shown}"


def reductions(found: list[float]) -> Iterator[list[float]]:
    """Give smaller programs than `found`, which is replaced by each one that still differs."""
    size = len(found)
    while size > 0:
        start = 0
        while start < len(found):
            before = len(found)
            yield found[:start] + found[start + size :]
            if len(found) == before:
                start += size
        size //= 2
    for calm in (CALM, 0.0):
        for index in range(len(found)):
            if found[index] != calm:
                yield [*found[:index], calm, *found[index + 1 :]]


def main() -> None:
    """Compare the programs of some seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", choices=list(PROGRAMS), default="piped")
    parser.add_argument("--mode", choices=[ON, CHECK, EMITTED], default=ON)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    arguments = parser.parse_args()
    program = PROGRAMS[arguments.program]
    seeds = range(arguments.first, arguments.last + 1)
    count = sum(compare(seed, asyncio.new_event_loop, arguments.mode, program) for seed in seeds)
    print(f"{len(seeds)} programs do the same on both paths; {count} periods ran on the fast path")


if __name__ == "__main__":
    main()
