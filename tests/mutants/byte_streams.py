"""The guards of byte streams in runs."""

from __future__ import annotations

from typing import Final

_CONTROLLER: Final = "_streams/readable/byte_controller"
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
}
