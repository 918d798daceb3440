"""The guards of byte streams in runs."""

from __future__ import annotations

from typing import Final

_CONTROLLER: Final = "_streams/readable/byte_controller"
_PULLING: Final = "_streams/readable/pulling"
_PASSES: Final = "not self._pending_pull_intos and self._queue.total == 0"

GUARDS_OF_BYTES: Final[dict[str, tuple[str, str, str]]] = {
    "bytes: a chunk that is empty": ("_fastpath/feeding", "(controller, inf, 1)", "(controller, inf, 0)"),
    "bytes: a queue that counts bytes behind them": (
        "_fastpath/pipeline",
        "stage.controller, sink.limit, least)",
        "stage.controller, sink.limit, 0)",
    ),
    "bytes: a chunk that is not taken": (_CONTROLLER, "chunk = run.intercept(self, chunk)", "pass"),
    "bytes: a high-water mark": ("_fastpath/feeding", "controller._strategy_hwm == 0 and ", ""),
    "bytes: memory for every read": ("_fastpath/feeding", " and controller._auto_allocate_chunk_size is None", ""),
    "bytes: memory that waits": (_CONTROLLER, _PASSES, "self._queue.total == 0"),
    "bytes: a queue that is not empty": (_CONTROLLER, _PASSES, "not self._pending_pull_intos"),
    "bytes: both at the entry": ("_fastpath/pipeline", "bool(controller._passes_chunks())", "True"),
    "await: a read that the source was asked for": (
        _PULLING,
        "            not self._pull_again\n            or not",
        "            not",
    ),
    "await: another job is due": (_PULLING, "            or queue[0] is not self._on_pull_fulfilled\n", ""),
    "await: a source that is closed": (
        _PULLING,
        "            or not self._can_pull\n            or not queue",
        "            or not queue",
    ),
    "await: a time that is over": (
        _PULLING,
        "            or jobs.countdown <= 0\n            or task_of",
        "            or task_of",
    ),
    "await: another task": (_PULLING, "            or task_of(jobs.loop) is not jobs._top\n", ""),
    "await: a job before the chunk": (
        _PULLING,
        "        if queue[0] is jobs.mark and",
        "        if jobs.mark in queue and",
    ),
    "views: less than is asked for": (_CONTROLLER, "            or filled < first.minimum_fill\n", ""),
    "views: a part of an item": (_CONTROLLER, "            or filled % first.element_size != 0\n", ""),
    "views: bytes that came back": (
        _CONTROLLER,
        "            or self._queue.total > 0\n            or first",
        "            or first",
    ),
    "views: of a reader that has gone": (_CONTROLLER, '            or first.reader_type == "none"\n', ""),
    "views: a closed stream": (
        _CONTROLLER,
        '            or self._stream._state != "readable"\n            or self._meter',
        "            or self._meter",
    ),
    "views: too many bytes": (
        _CONTROLLER,
        "            filled > first.byte_length\n            or filled <",
        "            filled <",
    ),
    "views: nobody asks for more": (
        _CONTROLLER,
        "        if requests or self._strategy_hwm > 0:\n",
        "        if False:\n",
    ),
    "views: released by the source": (_CONTROLLER, " and self._may_fill() and self._complete", " and self._complete"),
    "views: memory for a default reader": (_CONTROLLER, ' and first.reader_type == "byob"\n', "\n"),
}
