"""The fast path of pipelines: a tracing just-in-time path, without code generation.

In a steady pipeline every chunk triggers the same sequence of jobs, and only the callbacks of users are observable: the
source's pull(), the transformers' transform(), the sinks' write(). So the sequence is recorded once, and from then on
only the callbacks are called. The words are those of tracing compilers:

- A *period* is what happens between two reads of the pipe that begins the pipeline (its trigger).
- A *trace* is a recorded period: the state at its begin, and the calls of callbacks in it (`trace`). It is complete
  when the whole state, the job queue included, is the same at two begins but for the chunks (`recorder`, `snapshot`).
- A *run* calls the callbacks of a trace again and again, with no job between them (`run`, `driver`). The streams stay
  as they were at the beginning meanwhile; only the last chunks of each stage are remembered.
- A *guard* looks whether the trace still holds: at the entry, that the state is the one at the beginning; after each
  callback, that it returned, enqueued and queued what it always does; and in every public method that looks at a stream
  or changes one (`JobQueue.leave_run`).
- A *side exit* follows where a guard fails. The state is put where the plain path would have it inside this very
  callback, and the plain path goes on.
- A *replay* finds that state: the plain path of one period, with stand-ins that do what the callbacks did (`replay`).
- The *policy* of an event loop decides when all this is tried (`policy`); `discovery` finds the parts of a pipeline.

::

    Pipe.read_next, the job of every read
          |
          v
    policy: is it time? --no--> plain path (the jobs of the Standard) <-----------------------+
          | yes                       ^                                                       |
          v                           | nothing repeats itself                                |
    a trace there? --no--> recorder --+                                                       |
          | yes                |  the state repeats itself                                    |
          v                    v                                                              |
    guard: the state is that at the trace's beginning --no------------------------------------+
          | yes                                                                               |
          v                                                                                   |
    run:  pull() -> transform() -> write() -> pull() -> ...  --guard fails--> side exit: -----+
            ^  only callbacks; after each one a guard   |                     snapshot.restore
            +-------------------------------------------+                     (found by replay)

``WEBSTREAMS_FAST_PATHS=0`` leaves everything to the plain path. ``WEBSTREAMS_FAST_PATHS=check`` repeats every period of
a run on the plain path and reports a difference to the event loop's exception handler (`check`): the first thing to set
when a pipeline is suspected to behave differently. docs/architecture/fast-path.md tells what must be kept.
"""
