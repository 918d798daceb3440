"""The guards in the code that is made for periods (`_fastpath.codegen`), and in what is written out beside it."""

from __future__ import annotations

from typing import Final

GUARDS_OF_CODE: Final[dict[str, tuple[str, str, str]]] = {
    "emitted: a returned value": (
        "_fastpath/codegen",
        "{completing}if result is not None or run.expecting is not None or pending:",
        "{completing}if run.expecting is not None or pending:",
    ),
    "emitted: a chunk that is missing": (
        "_fastpath/codegen",
        "{completing}if result is not None or run.expecting is not None or pending:",
        "{completing}if result is not None or pending:",
    ),
    "emitted: a job that was queued": (
        "_fastpath/codegen",
        "{completing}if result is not None or run.expecting is not None or pending:",
        "{completing}if result is not None or run.expecting is not None:",
    ),
    "emitted: a coroutine that completes": ("_fastpath/codegen", "{completing}if", "if"),
    "emitted: what is expected": (
        "_fastpath/codegen",
        "run.current = step{0}\n{expecting}try",
        "run.current = step{0}\ntry",
    ),
    "emitted: the call under way": ("_fastpath/codegen", "run.current = step{0}\n{expecting}try", "{expecting}try"),
    "emitted: the move of the last period": ("_fastpath/codegen", "indent(move + ", "indent("),
    "emitted: how many periods there were": ("_fastpath/codegen", '"run.done = period\\n    "', '""'),
    "emitted: an item that may be awaitable": (
        "_fastpath/codegen",
        "if type(item) in NEVER_AWAITABLE and run",
        "if run",
    ),
    "emitted: an item of an iterator that has left the run": (
        "_fastpath/codegen",
        "NEVER_AWAITABLE and run.expecting is giver{0} and not pending",
        "NEVER_AWAITABLE and not pending",
    ),
    "emitted: an item of an iterator that has queued a job": (
        "_fastpath/codegen",
        "run.expecting is giver{0} and not pending:",
        "run.expecting is giver{0}:",
    ),
    "emitted: an item that was not taken": (
        "_fastpath/codegen",
        "\nif run.expecting is not None or pending:\n    {stopping}return None",
        "\nif pending:\n    {stopping}return None",
    ),
    "emitted: an iterator that queues a job": (
        "_fastpath/codegen",
        "\nif run.expecting is not None or pending:\n    {stopping}return None",
        "\nif run.expecting is not None:\n    {stopping}return None",
    ),
    "a filter that has queued a job": (
        "_fastpath/run",
        "self.expecting is step.expected and not self.pending",
        "self.expecting is step.expected",
    ),
    "a filter that has left the run": (
        "_fastpath/run",
        "self.expecting is step.expected and not self.pending",
        "not self.pending",
    ),
    "enqueue: in another thread than the run": (
        "_streams/readable/controller",
        "if run.expecting is self and not run.pending and get_ident() == run.thread:",
        "if run.expecting is self and not run.pending:",
    ),
    "enqueue: behind a job that was queued": (
        "_streams/readable/controller",
        "if run.expecting is self and not run.pending and get_ident() == run.thread:",
        "if run.expecting is self and get_ident() == run.thread:",
    ),
    "transform: in another thread than the run": (
        "_streams/transform/controller",
        "if run.expecting is self and not run.pending and get_ident() == run.thread:",
        "if run.expecting is self and not run.pending:",
    ),
    "transform: behind a job that was queued": (
        "_streams/transform/controller",
        "if run.expecting is self and not run.pending and get_ident() == run.thread:",
        "if run.expecting is self and get_ident() == run.thread:",
    ),
}
