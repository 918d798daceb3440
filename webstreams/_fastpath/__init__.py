"""The fast path of pipelines: their callbacks are called one after the other, without the jobs between them.

Where chunks only pass, nothing of a stream can be observed but the callbacks of users: a source's pull(), the
transformers' transform(), the sinks' write(), the writes at the beginning and the reads at the end. What the streams do
between two of them depends on their state, which is the same again and again. So it is found out once, and remembered:

- A *state* is that of all parts of a pipeline, the job queue included, with marks in the place of chunks (`snapshot`,
  `graph`). Queues that hold many chunks are all alike (`pipeline.Reservoir`).
- A *period* leads from a state to the next one: where a pipe is about to read, or at a user's read, write, look at
  ``ready``, or await of a promise of these. It calls callbacks, and each of them may do one of a few things: enqueue no
  chunk, one or more, as a plain function or as a coroutine that completes at once. What follows each outcome is another
  branch.
- A *simulation* finds it: the plain path of one period, with stand-ins for the callbacks (`simulation`).
- A *run* calls the callbacks of period after period (`performer`, `run`, `driver`, `reading`, `writing`). The streams
  stay as they were meanwhile; only the last chunks of each stage are remembered. While the user's own code runs between
  two reads or writes, the run is *parked*.
- *Code* is made for a period that has run often (`codegen`): Python that makes the same calls, with the same guards,
  without a loop over them. Where a callback often filters its chunk, this code is *linked* with the period that follows
  (`linking`). Not in the compiled build, whose loop is quicker.
- A *guard* looks after each callback what it did, and in every public method that looks at a stream or changes one
  whether a run is under way (`JobQueue.leave_run`).
- A *side exit* follows where something else was done: the state is put where the plain path would have it inside this
  very callback, or between these two reads or writes, and the plain path goes on.
- The *policy* of an event loop decides when all this is tried (`policy`); `discovery` finds the parts of a pipeline.

::

    Pipe.read_next, the job of every read; or a user's read() or write()
          |
          v
    policy: is it time? --no--> plain path (the jobs of the Standard) <-----------------------+
          | yes                                                                               |
          v                                                                                   |
    guard: chunks only pass, and all jobs are those of the pipeline --no----------------------+
          | yes                                                                               |
          v                                                                                   |
    run:  pull() -> transform() -> write() -> pull() -> ...  --guard fails--> side exit: -----+
            ^  only callbacks; after each one a guard   |
            |  and what follows what it did             |
            +-------------------------------------------+
                 |                    ^
                 v not known yet      |
             simulation: -------------+

``WEBSTREAMS_FAST_PATHS=0`` leaves everything to the plain path. ``WEBSTREAMS_FAST_PATHS=check`` repeats every period of
a run on the plain path and reports a difference to the event loop's exception handler (`check`): the first thing to set
when a pipeline is suspected to behave differently. docs/architecture/fast-path.md tells what must be kept.
"""
