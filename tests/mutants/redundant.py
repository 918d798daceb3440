"""The mutants that no test can notice, with the reason for each."""

from __future__ import annotations

from typing import Final

REDUNDANT: Final[dict[str, str]] = {}
