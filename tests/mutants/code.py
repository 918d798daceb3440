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
    "emitted: the move of the last period": ("_fastpath/codegen", "repeat = move + ", "repeat = "),
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
        "NEVER_AWAITABLE and run.expecting is giver{0} and not pending:",
        "NEVER_AWAITABLE and run.expecting is giver{0}:",
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
    "linked: a value that a filter has returned": (
        "_fastpath/codegen",
        "if result is None and run.expecting is giver{0} and not pending:\n        steps",
        "if run.expecting is giver{0} and not pending:\n        steps",
    ),
    "linked: a filter that has left the run": (
        "_fastpath/codegen",
        "if result is None and run.expecting is giver{0} and not pending:\n        steps",
        "if result is None and not pending:\n        steps",
    ),
    "linked: a filter that has queued a job": (
        "_fastpath/codegen",
        "if result is None and run.expecting is giver{0} and not pending:\n        steps",
        "if result is None and run.expecting is giver{0}:\n        steps",
    ),
    "linked: the steps behind a filtered chunk": ("_fastpath/codegen", "            {steps} = steps\n", ""),
    "linked: the steps behind another chunk": (
        "_fastpath/codegen",
        'repeat = f"{repeat}{steps} = usual\\n"',
        "pass",
    ),
    "linked: the last period": ("_fastpath/codegen", "period < last and ~period", "~period"),
    "linked: where the clock is looked at": ("_fastpath/codegen", " and ~period & {LOOK_AFTER - 1}", ""),
    "linked: how many filtered chunks there are": (
        "_fastpath/performer",
        "        if jobs.countdown <= job_count:\n            return False\n",
        "",
    ),
    "linked: a period that ends in another state": ("_fastpath/linking", "following.end is not segment.end or ", ""),
    "linked: a period that gives another chunk": (
        "_fastpath/linking",
        "if not gives_the_same or not is_alike:",
        "if not is_alike:",
    ),
    "linked: a period that makes other calls": (
        "_fastpath/linking",
        "if not gives_the_same or not is_alike:",
        "if not gives_the_same:",
    ),
    "linked: calls behind the filter": (
        "_fastpath/linking",
        "following is None or filtered.rows or",
        "following is None or",
    ),
    "followed: a queue of many, or a writer": (
        "_fastpath/run",
        "if not segment.moves and segment.rest is None:",
        "if True:",
    ),
    "followed: the loop's other tasks": (
        "_fastpath/run",
        "if following is None or jobs.countdown <= 0:\n",
        "if following is None:\n",
    ),
}
