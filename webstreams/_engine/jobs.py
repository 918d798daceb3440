"""The queue of jobs ("microtasks") that every event loop gets, and when it is drained.

JavaScript runs pending jobs whenever its stack is empty. Here that is at two moments:

- in a callback of the event loop, which is scheduled as soon as the first job is queued: "control returns to the loop";
- inside ``await promise``, if the awaiting task was itself called by the loop, so that nothing else is on the stack.
  Jobs run until the awaited promise's own turn has come. A read that is already satisfied costs no turn of the loop.

While jobs run, or while the first steps of a coroutine callback run, the queue is `busy`: an ``await`` then suspends
its task as JavaScript would, and goes on by a job of its own.
"""

from __future__ import annotations

import sys
from asyncio import AbstractEventLoop, Task, _get_running_loop, tasks
from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from threading import get_ident as _get_ident
from time import monotonic
from typing import Any, Final, NoReturn, Protocol, cast
from weakref import WeakSet

from .._debug.repr import BEFORE_SHOWING
from .._platform.mistakes import is_coroutine_function
from .loop_end import LoopEnd
from .run import Policy, Run

if sys.version_info >= (3, 12):
    from asyncio import current_task as _task_of

    # What eager tasks are made with.
    _swap_task = tasks._swap_current_task  # type: ignore[attr-defined]
    _tasks: dict[AbstractEventLoop, Task[Any]] | None = None
else:
    # What asyncio.current_task() looks at; that is written in Python there, and asked for at every await.
    _current_tasks: Final[dict[AbstractEventLoop, Task[Any]]] = tasks._current_tasks  # type: ignore[attr-defined]
    _task_of: Callable[[AbstractEventLoop], Task[Any] | None] = _current_tasks.get
    _tasks = _current_tasks

    def _swap_task(loop: AbstractEventLoop, task: Task[Any] | None) -> Task[Any] | None:
        """Do what 3.12 has a function for."""
        previous = _current_tasks.get(loop)
        if task is None:
            del _current_tasks[loop]
        else:
            _current_tasks[loop] = task
        return previous


Job = Callable[[], object]

# Called at every use of an object; `Final`, so that compiled code need not look them up.
get_running_loop: Final[Callable[[], AbstractEventLoop | None]] = _get_running_loop
get_ident: Final[Callable[[], object]] = _get_ident
# What is asked first. Which loop runs is known at once from 3.12 on, before that only after a call of the system (does
# this process have the number that it had?); for the number of a thread an int is made each time.
ASKS_LOOP: Final = sys.version_info >= (3, 12)
task_of: Final[Callable[[AbstractEventLoop], Task[Any] | None]] = _task_of
# Makes a task the current one, or none; gives the one that was that before.
swap_task: Final[Callable[[AbstractEventLoop, Task[Any] | None], Task[Any] | None]] = _swap_task
# Where there is no such function: in what it is done by who has no time for a call.
current_tasks: Final[dict[AbstractEventLoop, Task[Any]] | None] = _tasks

# Other tasks of the loop wait no longer than about this for a queue that never empties (seconds).
TURN_BUDGET = 0.008
# How many jobs may run before the clock is looked at: at first, and at most. However quick the last ones were, the next
# ones may be a thousand times as slow.
FIRST_COUNTDOWN = 16
MAX_COUNTDOWN = 64
# How many times as many there may be where the clock is looked at in between, if they were so quick, at most.
MAX_QUICKNESS = 8
# How many calls of a user's that were gathered may be made for each job that may run: the time of all of them is taken.
CALLS_FOR_A_JOB = 2
MAX_CALLS = CALLS_FOR_A_JOB * MAX_COUNTDOWN

# From 3.14 on every single task may be started eagerly, before that only by the loop's task factory.
_ANY_TASK_MAY_BE_EAGER = sys.version_info >= (3, 14)
# How many reads (or writes) are done on the plain path before one tries another one.
FIRST_READS = 64
_SLOT = "_webstreams_jobs"


class ThreadProbe(Protocol):
    """What tells in which thread an event loop runs: asyncio's loops themselves do, quicker than get_running_loop()."""

    @property
    def _thread_id(self) -> object: ...


class _Untold:
    """Stands for a loop that does not tell its thread."""

    _thread_id: object = None


_UNTOLD = _Untold()


class Mark:
    """Stands in the queue for the task that runs the jobs before it (`JobQueue.run_until`)."""

    __slots__ = ()

    def __call__(self) -> None:
        """Never called: it is taken out of the queue."""
        raise AssertionError("a mark was left in the queue of jobs")


class JobQueue:
    """The jobs of one event loop, in the order in which they were queued."""

    __slots__ = (
        "_checked_at",
        "_countdown_from",
        "_known",
        "_top",
        "_turn_started",
        "_watches_turn",
        "busy",
        "countdown",
        "end",
        "half_cancels",
        "is_alone",
        "jobs",
        "leaving",
        "loop",
        "mark",
        "policy",
        "quickness",
        "reads_left",
        "run",
        "scheduled",
        "spare_call",
        "tasks",
        "thread_probe",
        "writes_left",
    )

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop: AbstractEventLoop = loop
        # Hears of the end of the loop, and what is under way with it.
        self.end: Final = LoopEnd(loop)
        self.thread_probe: ThreadProbe = cast(ThreadProbe, loop) if hasattr(loop, "_thread_id") else _UNTOLD
        self.jobs: deque[Job] = deque()
        # True while jobs, or a callback that jobs must not overtake, are on the stack.
        self.busy: bool = False
        # For the one task that may run jobs until a promise is settled.
        self.mark: Final = Mark()
        # True if only what the current job queues can run next, so that a Delay may run its job at once.
        self.is_alone: bool = True
        # The loop will call _run_turn; true whenever there are jobs.
        self.scheduled: bool = False
        # How many jobs may run before is_late looks at the clock.
        self.countdown: int = FIRST_COUNTDOWN
        # How many times as many there may be where the clock is looked at in between.
        self.quickness: int = 1
        # The tasks of coroutine callbacks: asyncio itself keeps only weak references.
        self.tasks: set[Task[Any]] = set()
        # What coroutine_call.call_coroutine keeps for the next call of a coroutine.
        self.spare_call: object = None
        # How streams are cancelled at the moment (`_streams.readable.leaving`); and how often a promise was given for a
        # cancellation that is settled by others, who read another branch of the same tee.
        self.leaving: int = 0
        self.half_cancels: int = 0
        # The run under way on the fast path, which everything else has to leave (`run`).
        self.run: Run | None = None
        # What decides when pipes take the fast path; made by the first one.
        self.policy: Policy | None = None
        # How many reads of users' there will be before one of them tries the fast path.
        self.reads_left: int = FIRST_READS
        # The same for writes of users'.
        self.writes_left: int = FIRST_READS
        self._countdown_from = FIRST_COUNTDOWN
        self._turn_started = 0.0
        # The loop will call _turn_has_ended: the clock runs although no jobs are scheduled.
        self._watches_turn = False
        self._checked_at = 0.0
        # The last task that was seen to be called by the loop itself, and all that were (see _is_top_level).
        self._top: Task[Any] | None = None
        self._known: WeakSet[Task[Any]] = WeakSet()

    # Queueing.

    def push(self, job: Job) -> None:
        """Queue a job."""
        self.jobs.append(job)
        if not self.scheduled:
            self.schedule()

    def schedule(self) -> None:
        """Have the loop run the jobs."""
        if self.loop.is_closed():
            return  # what a stream left behind by its loop would still do, nobody can see
        self.scheduled = True
        if not self._watches_turn:
            self._turn_started = self._checked_at = monotonic()
        self.loop.call_soon(self._run_turn)

    def push_of_collected(self, job: Job) -> None:
        """Queue what an object has to do that is collected: anywhere, so in another thread, or in the midst of a run,
        whose simulations would lose the job."""
        if self.is_running() and self.run is None:
            self.push(job)
        elif not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.push, job)

    def is_running(self) -> bool:
        """Whether this queue's loop is the one that runs in this thread."""
        return get_running_loop() is self.loop

    def require_running(self) -> None:
        """Raise RuntimeError unless this queue's loop is the one that runs in this thread; leave the run under way.

        What the public API does to an object begins with this, or with its first half where no run can be under way;
        what other rooms do to streams leaves the run, too, for it may be parked while the code of users runs.
        """
        if not (ASKS_LOOP and get_running_loop() is self.loop) and get_ident() != self.thread_probe._thread_id:
            self.require_loop()
        if self.run is not None:
            self.run.leave()  # leave_run(), without the call

    def require_loop(self) -> None:
        """Raise RuntimeError unless this queue's loop is the one that runs in this thread."""
        if get_running_loop() is not self.loop:
            raise_wrong_loop()

    def leave_run(self) -> None:
        """Leave the run under way, before something else looks at streams or changes them: a side exit."""
        if self.run is not None:
            self.run.leave()

    def find_policy(self) -> Policy | None:
        """Return what decides when the pipes of this queue take the fast path, if the package has one."""
        if self.policy is None and FAST_PATH.make_policy is not None:
            self.policy = FAST_PATH.make_policy(self)
        return self.policy

    def takes_read(self, key: object, promise: Any) -> bool:
        """Try the fast path for the reads of a user's reader or iteration; whether the steps of this one are done."""
        policy = self.find_policy()
        return policy is not None and policy.takes_read(key, promise)

    def takes_write(self, writer: object, chunk: Any, promise: Any) -> bool:
        """Try the fast path for the writes of a user's writer; whether the steps of this one are done."""
        policy = self.find_policy()
        return policy is not None and policy.takes_write(writer, chunk, promise)

    def takes_many(self) -> bool:
        """Whether many reads may be done in one, where nobody can tell."""
        policy = self.find_policy()
        return policy is not None and policy.takes_many()

    def may_run_jobs(self) -> bool:
        """Whether the current task may run jobs: nothing else is on the stack."""
        return not self.busy and (task_of(self.loop) is self._top or self._is_top_level())

    def task_was_cancelled(self) -> None:
        """A task is being cancelled: see first whether that is the end of the loop."""
        if get_running_loop() is None and self.end.is_suspected():
            self.jobs.appendleft(self.end.look)
            if not self.scheduled:
                self.schedule()

    # Draining.

    def _run_turn(self) -> None:
        """Run jobs, called by the loop; leave the rest to its next turn when the time is up."""
        self.leave_run()
        self._top = None
        self._restart_clock()
        self.busy = True
        try:
            self._run_jobs()
        finally:
            self.busy = False
            if self.jobs and not self.loop.is_closed():
                self.loop.call_soon(self._run_turn)
            else:
                self.scheduled = False

    def run_after(self, callback: Callable[[], object]) -> None:
        """Call what the loop would call, and then run the jobs, as after every callback, without another turn for them.

        For callbacks of the loop itself, so that nothing else is on the stack.
        """
        if self.scheduled or self._watches_turn:
            callback()
            return
        self.scheduled = True
        try:
            callback()
        finally:
            self._run_turn()

    def _run_jobs(self) -> None:
        jobs = self.jobs
        while jobs and not self.is_late():
            try:
                while jobs and self.countdown > 0:
                    self.countdown -= 1
                    jobs.popleft()()
            except Exception as error:
                self.report("a microtask raised an exception", error)

    def run_until(self, last: Job) -> bool:
        """Run jobs inside the current task until `last` is due, which is taken but not run; whether that came.

        It does not when it was not queued, when the loop's other tasks have to have their turn, or when something else
        is on the stack.
        """
        if self.busy or (task_of(self.loop) is not self._top and not self._is_top_level()):
            return False
        if self.run is not None:
            self.run.leave()
        jobs = self.jobs
        self.busy = True
        try:
            while jobs:
                if self.countdown <= 0 and self.is_late():
                    return False
                self.countdown -= 1
                job = jobs.popleft()
                if job is last:
                    return True
                job()
        except Exception as error:
            self.report("a microtask raised an exception", error)
        finally:
            self.busy = False
        return False

    def run_pending(self) -> bool:
        """Run the jobs that are queued now inside the current task, which then goes on; whether it may.

        What `run_until` does for a promise that is settled already, whose turn comes after exactly these jobs.
        """
        if self.busy or (self.countdown <= 0 and self.is_late()):
            return False
        if self.run is not None:
            self.run.leave()
        jobs = self.jobs
        if not jobs:
            self.countdown -= 1
            return True
        if task_of(self.loop) is not self._top and not self._is_top_level():
            return False
        self.busy = True
        self.is_alone = False
        count = len(jobs)
        self.countdown -= count
        try:
            for _ in range(count):
                jobs.popleft()()
        except Exception as error:
            self.report("a microtask raised an exception", error)
        finally:
            self.busy = False
            self.is_alone = True
        return True

    def is_late(self) -> bool:
        """Whether the loop's other tasks have to have their turn; looks at the clock only when `countdown` ran out."""
        if self.countdown > 0:
            return False
        now = monotonic()
        if not self.scheduled and not self._watches_turn:
            self._watch_turn(now)
        spent = now - self._turn_started
        if spent >= TURN_BUDGET:
            return True
        # Look again after about a quarter of the budget at the pace of the last jobs.
        pace = max(now - self._checked_at, 1e-7) / (self._countdown_from - self.countdown)
        self._checked_at = now
        count = int(TURN_BUDGET / 4 / pace)
        self.countdown = self._countdown_from = max(1, min(MAX_COUNTDOWN, count))
        self.quickness = max(1, min(MAX_QUICKNESS, count // MAX_COUNTDOWN))
        return False

    def count_calls(self, count: int, began: float) -> int:
        """Return how many calls like those since `began`, which counted as a job each, may be made before `is_late`
        looks at the clock; if they took a time, it does so next."""
        spent = max(monotonic() - began, 1e-7)
        if spent > TURN_BUDGET / 16:
            self.countdown = min(self.countdown, 0)
        return max(1, min(MAX_CALLS, int(TURN_BUDGET / 4 / spent * count)))

    def calls_left(self) -> int:
        """Return how many gathered calls may be made before `is_late` looks at the clock."""
        return CALLS_FOR_A_JOB * self.countdown

    def _watch_turn(self, now: float) -> None:
        """Start the clock in a turn for which no jobs are scheduled; that must not decide when later jobs will run."""
        self._turn_started = self._checked_at = now
        if not self.loop.is_closed():
            self._watches_turn = True
            self.loop.call_soon(self._turn_has_ended)

    def _turn_has_ended(self) -> None:
        self.leave_run()
        self._watches_turn = False

    def time_spent(self) -> float:
        """Tell how long the turn has lasted (seconds)."""
        return monotonic() - self._turn_started

    def time_is_up(self) -> bool:
        """Whether the loop's other tasks have to have their turn, by the clock."""
        return self.time_spent() >= TURN_BUDGET

    def clock(self) -> float:
        """Tell what `is_late` takes for the time (seconds)."""
        return monotonic()

    def _restart_clock(self) -> None:
        self._turn_started = self._checked_at = monotonic()
        self.countdown = self._countdown_from = min(self._countdown_from, FIRST_COUNTDOWN)
        self.quickness = 1

    def _is_top_level(self) -> bool:
        """Whether the current task was called by the loop, not by other code that goes on after it.

        A task that was started eagerly runs on the stack of the code that made it. So where tasks may be eager, one is
        believed only after it was suspended once: it is remembered here and found again.
        """
        task = task_of(self.loop)
        if task is None:
            return False
        if (_ANY_TASK_MAY_BE_EAGER or self.loop.get_task_factory() is not None) and task not in self._known:
            self._known.add(task)
            return False
        self._top = task
        return True

    # Tasks.

    def step_task(self, step: Callable[[Any], object], argument: object, context: Context) -> None:
        """Let a task take a step now, inside a job: as current task, in its own context.

        If the loop runs the jobs, nothing but the loop over them is below the task: it may go on with them itself. If
        another task runs them, the step of this one must end before that can go on.
        """
        loop = self.loop
        current = task_of(loop)
        if current is None:
            self.busy = False
            try:
                context.run(step, argument)
            finally:
                self.leave_run()
                self.busy = True
            return
        swap_task(loop, None)  # the task will enter itself
        try:
            context.run(step, argument)
        finally:
            self.leave_run()
            swap_task(loop, current)

    def report(self, message: str, error: BaseException) -> None:
        """Tell the loop's exception handler about an error that nobody else can see."""
        self.loop.call_exception_handler({"message": f"webstreams: {message}", "exception": error})


class FastPathHook:
    """Where `_fastpath` puts what makes the policy of a job queue, when the package is imported."""

    __slots__ = ("make_policy",)

    def __init__(self) -> None:
        self.make_policy: Callable[[JobQueue], Policy] | None = None


FAST_PATH: Final = FastPathHook()


def _leave_run_of(subject: object) -> None:
    """Leave the run in one of whose callbacks an object is shown: people see the state of the plain path."""
    jobs = getattr(subject, "_jobs", None)
    if isinstance(jobs, JobQueue) and jobs.run is not None and jobs.is_running():
        jobs.leave_run()


BEFORE_SHOWING.prepare = _leave_run_of


def current_jobs() -> JobQueue:
    """The job queue of the running event loop; RuntimeError if none runs in this thread."""
    loop = get_running_loop()
    if loop is None:
        raise_wrong_loop()
    queue: JobQueue | None = getattr(loop, _SLOT, None)
    if queue is None:
        queue = JobQueue(loop)
        setattr(loop, _SLOT, queue)
    return queue


def queue_microtask(callback: Callable[..., object], *args: Any) -> None:
    """Queue a job of your own, behind all that are pending (HTML: ``queueMicrotask``).

    Runs ``callback(*args)`` once, as one microtask. An exception that it raises goes to the event loop's exception
    handler. Raises `TypeError` for a coroutine function, and `RuntimeError` when no event loop runs in this thread.

    >>> import asyncio
    >>> async def main() -> None:
    ...     queue_microtask(print, "later")
    ...     print("now")
    ...     await asyncio.sleep(0)
    >>> asyncio.run(main())
    now
    later
    """
    if not callable(callback):
        raise TypeError(f"queue_microtask() needs a callable, not {type(callback).__name__}")
    if is_coroutine_function(callback):
        raise TypeError(
            "queue_microtask() needs a plain function, not a coroutine function, whose code would never run: "
            "asyncio.create_task() runs it"
        )
    jobs = current_jobs()
    jobs.push(partial(_run_microtask, jobs, callback, args))


def _run_microtask(jobs: JobQueue, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
    try:
        callback(*args)
    except Exception as error:
        jobs.report(f"a microtask raised an exception: {callback!r}", error)


def raise_wrong_loop() -> NoReturn:
    """Say that a stream is used without its loop."""
    if get_running_loop() is None:
        raise RuntimeError(
            "webstreams objects need the running asyncio event loop they belong to, and none is running in this thread"
        )
    raise RuntimeError(
        "this webstreams object belongs to another event loop than the one that is running in this thread"
    )
