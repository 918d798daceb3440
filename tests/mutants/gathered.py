"""The guards of calls that are gathered (`_engine/workers.py`, `_streams/readable/operators/concurrent.py`)."""

from __future__ import annotations

from typing import Final

_WORKERS: Final = "_engine/workers"
_SOURCE: Final = "_streams/readable/operators/concurrent"
_MAY_GATHER: Final = "self._results is not None and owner.may_gather():"
_IS_OVER: Final = "if self._gathering is slot:\n"

GUARDS_OF_GATHERED: Final[dict[str, tuple[str, str, str]]] = {
    # When calls are gathered.
    "gathered: results that go nowhere": (_WORKERS, _MAY_GATHER, "owner.may_gather():"),
    "gathered: whatever the owner waits for": (_WORKERS, f" and {_MAY_GATHER}", " and self._results is not None:"),
    "gathered: while a read waits": (_SOURCE, "not (self._is_wanted or self._slots)", "not self._slots"),
    "gathered: behind another call": (_SOURCE, "not (self._is_wanted or self._slots)", "not self._is_wanted"),
    "gathered: what nobody wants": (_SOURCE, "self._discards or not (self._is_wanted", "not (self._is_wanted"),
    "gathered: out of order": (_SOURCE, "self._done if is_ordered else None", "self._done"),
    "gathered: with a key": (_SOURCE, "results if key is None else None)", "results)"),
    # What ends the gathering.
    "gathered: another call begins": (
        _WORKERS,
        "            if self._gathering is not None:\n                self.interrupt()\n",
        "",
    ),
    "gathered: a look": (
        _WORKERS,
        "            self.quick_calls = 0  # it takes time\n            self.interrupt()\n",
        "            self.quick_calls = 0  # it takes time\n",
    ),
    "gathered: a look that tells nobody": (
        _WORKERS,
        "        self._owner.calls_returned()\n\n    def _share",
        "\n    def _share",
    ),
    "gathered: a look that learns nothing": (_WORKERS, "self.quick_calls = 0  # it takes time", "pass"),
    "gathered: a read comes": (_SOURCE, "            self.workers.interrupt()\n", "            pass\n"),
    "gathered: the task is cancelled": (_WORKERS, "        self._workers.interrupt()\n", ""),
    "gathered: a call that changes its context": (
        _WORKERS,
        "            results.append(value)\n            if context != self._context:\n                break\n",
        "            results.append(value)\n",
    ),
    # What happens then.
    "gathered: a call that was interrupted": (
        _WORKERS,
        "            if self._gathering is not slot:\n                break\n",
        "",
    ),
    "gathered: without a place": (_WORKERS, "            self._owner.place(slot)\n", "            pass\n"),
    "gathered: the owner is not told": (_WORKERS, "                owner.calls_returned()\n", ""),
    "gathered: the owner is told of one": (
        _WORKERS,
        f"            {_IS_OVER}                self._gathering = slot =",
        "            if False:\n                self._gathering = slot =",
    ),
    "gathered: nothing more is read": (
        _SOURCE,
        "            self._give_next()\n        self._refill()\n\n    def call_returned",
        "            self._give_next()\n\n    def call_returned",
    ),
    "gathered: nothing is given": (
        _SOURCE,
        "            self._give_next()\n        self._refill()\n\n    def call_returned",
        "        self._refill()\n\n    def call_returned",
    ),
    "gathered: the window of what nobody wants": (
        _SOURCE,
        "        if self._is_drain():\n            self._in_window = self.workers.outstanding\n            self._give",
        "        if self._is_drain():\n            self._give",
    ),
    "gathered: a result that is put back before the end": (
        _SOURCE,
        "        self._controller._queue.plenty = math.inf  # a chunk may",
        "        # a chunk may",
    ),
    # Others have their turn.
    "gathered: nobody looks": (
        _WORKERS,
        "        if not self.will_look:\n            self._look_later()  # if",
        "        if False:\n            self._look_later()  # if",
    ),
    "gathered: more than a turn": (_WORKERS, "max(1, min(len(ready), jobs.countdown))", "len(ready)"),
    "gathered: a turn that is over": (
        _WORKERS,
        "max(1, min(len(ready), jobs.countdown))",
        "min(len(ready), jobs.countdown)",
    ),
    "gathered: calls that are not counted": (_WORKERS, "        jobs.countdown -= most - 1\n", ""),
}
