"""The guards of operators in runs."""

from __future__ import annotations

from typing import Final

GUARDS_OF_OPERATORS: Final[dict[str, tuple[str, str, str]]] = {
    "operators: several chunks of one": (
        "_streams/readable/operators/chain",
        "source.is_stream() and self.gives_one_by_one()",
        "source.is_stream()",
    ),
    "operators: who gets the chunks": (
        "_fastpath/discovery",
        "if not isinstance(chain.receiver(), Drain):",
        "if False:",
    ),
    "operators: chunks that are counted": (
        "_fastpath/discovery",
        "elif _is_observed(output) or not",
        "elif not",
    ),
    "operators: a pull that is done later": (
        "_fastpath/simulation",
        "pulled = None if chain_of(controller._source) is not None else controller",
        "pulled = controller",
    ),
    "operators: a read that is answered after the pull": (
        "_fastpath/simulation",
        "path = read_path(owner.reader._stream, owner)",
        "path = []",
    ),
    "operators: a run is left before the waiting begins": (
        "_streams/readable/operators/chain",
        "self.jobs.leave_run()\n        self._is_waiting = True",
        "self._is_waiting = True\n        self.jobs.leave_run()",
    ),
}
