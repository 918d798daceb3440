"""The mutants that no test can notice, with the reason for each."""

from __future__ import annotations

from typing import Final

REDUNDANT: Final[dict[str, str]] = {
    "DefaultTee.read_again is constant": "_pass_on() resets it before it looks at it: no job leaves it to the next one",
}
