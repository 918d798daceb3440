"""The guards of chunks that a sink takes at once."""

from __future__ import annotations

from typing import Final

_PIPE: Final = "_streams/readable/pipe"
_TAKING: Final = "_streams/readable/taking"
_ITERABLE: Final = "_streams/readable/iterable"

GUARDS_OF_WORKERS: Final[dict[str, tuple[str, str, str]]] = {
    "taken: items that somebody counts": (_TAKING, "            and pipe.source._controller._meter is None\n", ""),
    "taken: in the call that makes the pipe": (
        _PIPE,
        "self._taker.begin()\n                self.source._jobs.push(self._step)\n                return",
        "self._taker.begin()\n                self._step()\n                return",
    ),
    "taken: an item behind a job": (_ITERABLE, "            and not jobs.jobs\n", ""),
    "taken: an item while a task goes on": (_ITERABLE, "            and jobs.is_alone\n", ""),
    "taken: an item when others have to have their turn": (
        _ITERABLE,
        "            and (jobs.countdown > 0 or not jobs.is_late())\n",
        "",
    ),
    "taken: an item that may be awaitable": (
        _ITERABLE,
        "            type(item) in NEVER_AWAITABLE\n            and not jobs.jobs",
        "            item is not END_OF_ITERATION\n            and not jobs.jobs",
    ),
}
