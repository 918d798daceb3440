"""The mutants that no test can notice, with the reason for each."""

from __future__ import annotations

from typing import Final

_BEGINS_LATER = "a chunk without a mark is passed to no callback (Explorer._new_step): the run only begins a read later"
_NOT_READ = "a chunk without a mark is not taken for that of a read (Explorer._segment): the run is only left"

REDUNDANT: Final[dict[str, str]] = {
    "DefaultTee.read_again is constant": "_pass_on() resets it before it looks at it: no job leaves it to the next one",
    "GeneratorSource names no chunk slots": _BEGINS_LATER,
    "ReadEnd names no chunk slots": _NOT_READ,
}
