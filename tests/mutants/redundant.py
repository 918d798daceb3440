"""The mutants that no test can notice, with the reason for each."""

from __future__ import annotations

from typing import Final

_BY_SHUTDOWN = "moved only when the pipe shuts down, which Pipe.shutting_down tells the guard at the entry"
_BY_THE_END = "moved only when the pipe has ended, and with it its trace (TracePolicy.exit)"
_BY_THE_STATE = "moved only after the stream has left the state that WritableStreamState._state holds"
_MADE_ONCE = "made once, by a method that leaves the run first, and never taken away: there is nothing to put back"

REDUNDANT: Final[dict[str, str]] = {
    "WritableController._started is constant": "true before the sink is called for the first time, and for ever",
    "WritableController._strategy_size_algorithm is constant": _BY_SHUTDOWN,
    "WritableStreamDefaultController._abort_controller is constant": _MADE_ONCE,
    "WritableStreamDefaultController._sink is constant": _BY_SHUTDOWN,
    "WriterState._closed_promise is constant": "of the pipe's own writer, at which nobody else looks",
    "WriterState._released_error is constant": _BY_THE_END,
    "WriterState._stream is constant": _BY_THE_END,
    "WritableStreamState._close_request is constant": _BY_SHUTDOWN,
    "WritableStreamState._closed_is_rejected is constant": _BY_THE_STATE,
    "WritableStreamState._finished is constant": _MADE_ONCE,
    "WritableStreamState._in_flight_close_request is constant": _BY_SHUTDOWN,
}
