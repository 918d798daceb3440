"""The guards of calls that are gathered (`_engine/workers.py`, `_streams/readable/operators/concurrent.py`)."""

from __future__ import annotations

from typing import Final

_WORKERS: Final = "_engine/workers"
_SOURCE: Final = "_streams/readable/operators/concurrent"
_GATHERS: Final = "self.quick_calls >= QUICK and self._results is not None"
_IS_OVER: Final = "if self._gathering is slot:\n"

GUARDS_OF_GATHERED: Final[dict[str, tuple[str, str, str]]] = {
    # When calls are gathered.
    "gathered: results that go nowhere": (_WORKERS, _GATHERS, "self.quick_calls >= QUICK"),
    "gathered: calls that take time": (_WORKERS, _GATHERS, "self._results is not None"),
    "gathered: whatever the owner waits for": (_WORKERS, "(self.gathers and owner.may_gather())", "self.gathers"),
    "gathered: behind another call": (_SOURCE, "return not self._slots", "return True"),
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
        "        self._owner.calls_returned(False)\n\n    def _share",
        "\n    def _share",
    ),
    "gathered: a look that learns nothing": (_WORKERS, "self.quick_calls = 0  # it takes time", "pass"),
    "gathered: a read comes": (_SOURCE, "            self.workers.interrupt()\n", "            pass\n"),
    "gathered: the task is cancelled": (_WORKERS, "        self._workers.interrupt()\n", ""),
    "gathered: a call that changes its context": (
        _WORKERS,
        "            take_result(value)\n            if context != unchanged:\n                break\n",
        "            take_result(value)\n",
    ),
    # What happens then.
    "gathered: a call that was interrupted": (
        _WORKERS,
        "            if self._gathering is not slot:\n                break\n",
        "",
    ),
    "gathered: without a place": (_WORKERS, "            self._owner.place(slot)\n", "            pass\n"),
    "gathered: the owner is not told": (_WORKERS, "                owner.calls_returned(True)\n", ""),
    "gathered: a worker that ends tells nobody": (
        _WORKERS,
        "            self._owner.calls_returned(False)  # it has not gone on\n",
        "            pass\n",
    ),
    "gathered: the owner is told of one": (
        _WORKERS,
        f"            {_IS_OVER}                self._gathering = slot =",
        "            if False:\n                self._gathering = slot =",
    ),
    "gathered: nothing more is read": (
        _SOURCE,
        "            self._refill()\n            goes_on = goes_on and",
        "            goes_on = goes_on and",
    ),
    "gathered: nothing is given": (
        _SOURCE,
        "            self._give_next()\n\n    def call_returned",
        "            pass\n\n    def call_returned",
    ),
    "gathered: the window of what nobody wants": (
        _SOURCE,
        "            self._in_window = self.workers.outstanding\n        goes_on",
        "            pass\n        goes_on",
    ),
    "gathered: a result that is put back before the end": (
        _SOURCE,
        "        self._controller._queue.plenty = math.inf  # a chunk may",
        "        # a chunk may",
    ),
    # Others have their turn.
    "gathered: nobody looks": (
        _WORKERS,
        "        if not self._will_look:\n            self._look_later()  # if",
        "        if False:\n            self._look_later()  # if",
    ),
    "gathered: more than a turn": (_WORKERS, ", jobs.calls_left(), self._most_at_once))", "))"),
    "gathered: a turn that is over": (_WORKERS, "most = max(1, min(", "most = max(0, min("),
    "gathered: as many as reads": (_WORKERS, ", self._most_at_once))", "))"),
    "gathered: a time that is not told": ("_engine/jobs", "self.countdown = min(self.countdown, 0)", "pass"),
    "gathered: calls that are not counted": (_WORKERS, "        jobs.countdown -= most - 1\n", ""),
    # Items that a worker takes itself.
    "gathered: an item that may be awaitable": (
        _WORKERS,
        "if is_taken and type(item) not in NEVER_AWAITABLE:",
        "if False:",
    ),
    "gathered: what was submitted is looked at": (_WORKERS, "if is_taken and type(item) not", "if type(item) not"),
    "gathered: more than the window": (
        _SOURCE,
        "self._window - self._in_window\n\n    def _input",
        "10**9\n\n    def _input",
    ),
    "gathered: a window that is full": (_SOURCE, "self._in_window < self._window and not", "not"),
    "gathered: no place in the window": (_SOURCE, "self._in_window += len(self._done) - self._gathered_from", "pass"),
    "gathered: no place for the call under way": (
        _SOURCE,
        "            self._in_window += 1\n        if self._is_ordered",
        "        if self._is_ordered",
    ),
}
