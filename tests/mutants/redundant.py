"""The mutants that no test can notice, with the reason for each."""

from __future__ import annotations

from typing import Final

_BEGINS_LATER = "a chunk without a mark is passed to no callback (Explorer._new_step): the run only begins a read later"
_NOT_READ = "a chunk without a mark is not taken for that of a read (Explorer._segment): the run is only left"
_HAS_LEFT = "its callers, Promise.__await__() and those of the promises of reads, have left the run, or found none"
_KNOWN_STATE = (
    "it changes no part: a job that it queues is a guard (PipelineRun._branch); if it queues none, no chunk has come,"
    " and the simulation of that finds the same state"
)

REDUNDANT: Final[dict[str, str]] = {
    "DefaultTee.read_again is constant": "_pass_on() resets it before it looks at it: no job leaves it to the next one",
    "GeneratorSource names no chunk slots": _BEGINS_LATER,
    "ReadEnd names no chunk slots": _NOT_READ,
    "a promise is awaited between two reads": _HAS_LEFT,
    "a settled promise is awaited between two reads": _HAS_LEFT,
    "an awaitable item": _KNOWN_STATE,
    "an awaiting task that is cancelled": (
        "a pipe leaves the run itself (Pipe.end_now), and no run begins while another read of its stream is pending"
    ),
    "an iterator that fails": _KNOWN_STATE,
    "emitted: an item that was not taken": (
        "what is not taken has left the run and has queued a job, which is the other half of the guard"
    ),
    "emitted: an iterator that queues a job": (
        "behind a job no item is taken: put_next() leaves the run, which is the other half of the guard"
    ),
    "more: each one has to fit": (
        "who gives many at once (lines(), chunked()) gives pieces of one size, and a smaller one at the end, or text,"
        " which no run counts. It is for what somebody adds"
    ),
    "entry: a run in a run": (
        "a pipe reads in a run only where that is simulated: the first pipe of a chain that a user reads, whose end"
        " find_pipeline() refuses, and of which an older run has a pipe that has ended (_pipe_goes_on); or the first"
        " pipe of another pipeline, which is not the trigger of the run. Whatever else runs jobs has left the run"
    ),
    "simulation: a job of a stranger": (
        "there is none: the jobs at its begin are those of parts (can_begin), and the jobs of ordinary parts queue no"
        " others. It is for what somebody adds"
    ),
    "gathered: a worker that ends tells nobody": (
        "the look that is due whenever calls are gathered does it a turn later, and so does the next read"
    ),
    "gathered: a turn that is over": (
        "no call is made then, and the countdown is as if one had been: the worker comes back at once"
    ),
    "repeated: the next chunk of the queue": (
        "a period with one call, which takes one chunk out of a queue of many, makes that call with this chunk: no"
        " other chunk is on its way. It is for what somebody adds"
    ),
    "linked: where the clock is looked at": (
        "the states before a filtered chunk and behind one differ in a job that sets a flag of a pipe, or in who asks"
        " for the chunk: to be in the wrong one of them when the turn ends cannot be told. It is for what somebody adds"
    ),
    "linked: a period that ends in another state": (
        "in all pipelines that are known, one that makes the same calls behind a filter ends in the same state"
    ),
    "linked: a period that gives another chunk": (
        "one that makes the same calls with the same chunks, and ends in the same state, gives the same: it is for what"
        " somebody adds"
    ),
    "taken: items that somebody counts": (
        "who observes the source of a pipe observes its sink, too (observe), and that takes nothing at once then"
    ),
    "measured: backpressure at the entry": (
        "its queue has at most four chunks (has_room()), each smaller than a sixth of its mark (fits()), so that it is"
        " below that. There is backpressure with a mark of 0 only, and then no chunk is small enough"
    ),
    "ordinary: chunks that were put back": (
        "PutBackChunks looks at the queue only when one more is put back, for a cancelled read that "
        "has left the run (PromiseWaiter._give_way, ReadPromise.cancel): the chunks are those of the plain path"
    ),
}
