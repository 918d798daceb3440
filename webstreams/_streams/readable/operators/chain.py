"""A chain of operators: takes chunks from an input, calls the functions one after the other, gives what comes out.

An operator on a stream that is itself made by an operator, and that nobody has used yet, joins its chain: a chunk
passes all functions in one loop, without a promise or a queue between them. The streams between are locked, and are
closed or errored when they would have been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Final

from ...._engine.promise import NEVER_AWAITABLE, Promise, is_awaitable, promise_of_failure, wait_for_all
from ...._platform.errors import goes_through, stored_error
from ...._platform.stages import note_stage
from ...door import end_of
from ...holder import LockHolder
from ...part import Part
from ..reader import ReadableStreamDefaultReader
from ..state import ReadableStreamState
from .awaited import Awaited, Waiter
from .between import Between
from .inputs import Input, Owner, inner_input, may_be_shared, may_share_soon
from .marks import NEVER_AWAITED, SKIP, WAITING
from .receiver import Receiver
from .steps import EXPAND, FILTER, MAP, OWN, TAKE, TAP, Plan, Step, plan_from

OPEN: Final = 0
DONE: Final = 1


class Chain(Owner, Waiter, Part):
    """The steps over one stream; asks it for no more than it was asked for.

    The items of an iterator pass the steps in a loop (`_loop_over`). A stream is asked for one chunk after the other,
    and each one passes them in a job of its own, which the fast path takes for a callback (`feed`).
    """

    __slots__ = (
        "_awaited",
        "_between",
        "_closing",
        "_ending",
        "_inputs",
        "_is_asked",
        "_is_running",
        "_is_waiting",
        "_plans",
        "_receiver",
        "_state",
        "_steps",
        "feed",
        "jobs",
        "output",
        "reads_stream",
        "root",
    )
    # Links, and what moves where there is another input than the stream (is_fed()), or at the end: that of the stream,
    # which is cancelled then. What a function has given that is waited for is settled by a job. `feed` is replaced by
    # the fast path.
    _constant: ClassVar[tuple[str, ...]] = (
        "_awaited",
        "_between",
        "_closing",
        "_ending",
        "_inputs",
        "_plans",
        "_receiver",
        "_state",
        "_steps",
        "feed",
        "jobs",
        "output",
        "reads_stream",
        "root",
    )

    def __init__(self, stream: ReadableStreamState[Any], reader: ReadableStreamDefaultReader[Any]) -> None:
        self.jobs = stream._jobs
        reader._consumer = self
        self._steps: list[Step] = []
        # What the loop over an iterator does itself (`plan_from`), by the index of the first step.
        self._plans: dict[int, Plan] = {}
        self._receiver: Receiver | None = None
        # The controller of the stream that gets the chunks, if it is one.
        self.output: Any = None
        self.root = stream
        # Has a chunk of the stream pass the steps; the fast path puts itself in its place to watch.
        self.feed: Callable[[Any, Any], None] = self._feed
        # The inputs: the stream, and above it what functions of flat_map() gave; the last one is read from.
        self._inputs = [Input(self, stream._jobs, 0, reader, None)]
        # The stream is read from; false while, or if, its iterator is asked without it.
        self.reads_stream = False
        # The streams between operators.
        self._between = Between()
        self._state = OPEN
        # Ours, shared: somebody waits for a chunk or the end (false when the chain is done); the loop is on the stack.
        self._is_asked = False
        self._is_running = False

        # Ours: the loop waits for an input, a function or the event loop.
        self._is_waiting = False
        # The index of the next step whose rest is due; None while the input goes on.
        self._ending: int | None = None
        # What take() has cancelled, and the end waits for.
        self._closing: list[Promise[Any]] = []
        # A function that is waited for.
        self._awaited = Awaited(self, self.jobs)

    def add(self, step: Step) -> None:
        """Add a step behind the others."""
        step.index = len(self._steps)
        self._steps.append(step)
        self._plans.clear()
        if step.kind == TAKE and step.is_full():
            self._stop_inputs(len(self._steps) - 1)

    def replace_function(self, index: int, function: Callable[[Any], Any]) -> None:
        """Have a step call another function, which observes it."""
        self._steps[index].function = function
        for first, (plan, _) in self._plans.items():
            plan[:] = plan_from(self._steps, first)[0]

    def give_to(self, receiver: Receiver, output: object = None) -> None:
        """Say who gets the chunks; tell it at once if there will be none.

        `output` is the controller of the stream that they go to, if it is a stream.
        """
        self._receiver = receiver
        self.output = output
        if self._state == OPEN and self._ending is not None and self._is_used_up():
            self._end()

    def makes_many(self) -> bool:
        """Whether the last step makes chunks before they are asked for (`take_ready`)."""
        return self._steps[-1].makes_many

    def take_ready(self) -> Sequence[Any]:
        """Take the chunks that the last step has made already; they are not given to the receiver then."""
        is_last = self._inputs and self._inputs[-1].position == len(self._steps) > 0
        return self._steps[-1].take_ready() if is_last else ()

    def watch_end(self, then: Callable[[Any], None]) -> None:
        """Call `then` when the stream is closed or errored, also if it is not asked for anything (`ends_next`)."""
        end_of(self.root)._react(then, then)

    def ends_next(self) -> bool:
        """Whether asking would give an error or the end and read nothing: the stream itself has ended."""
        if self._state != OPEN or self._is_waiting or self._is_running or len(self._inputs) != 1:
            return False
        if self._inputs[0].position > 0:
            return False
        state = self.root._state
        return state == "errored" or (state == "closed" and not any(step.has_rest() for step in self._steps))

    def lock_between(self, stream: ReadableStreamState[Any], holder: LockHolder) -> None:
        """Lock a stream that this chain fed so far, to go on behind it."""
        self._between.lock(stream, holder, self, len(self._steps))

    # The loop.

    def ask(self) -> None:
        """Have one chunk, or the end, given to the receiver."""
        if self._state == OPEN:
            self._is_asked = True
            if not self._is_running and not self._is_waiting:
                if self.reads_stream:
                    self._ask_input()
                else:
                    self._run()

    def input_at_once(self) -> Input | None:
        """Return the input if its items, of which it may have some at once, pass no steps."""
        if self._steps or self._state != OPEN or self._is_running or self._is_waiting or not self._inputs:
            return None
        return self._inputs[0]

    def _ask_input(self) -> None:
        """Have the next chunk come. Nothing is done after this, for the source of a stream may be called."""
        source = self._inputs[-1] if self._inputs else None
        if source is None or not source.is_stream() or source.has_plenty():
            self._run()
        else:
            self._is_waiting = True
            source.ask()

    def _run(self) -> None:
        """Have chunks pass the steps that are there already, until one is given."""
        self._is_running = True
        jobs = self.jobs
        while self._is_asked and not self._is_waiting:
            jobs.countdown -= 1
            if jobs.countdown <= 0 and jobs.is_late():
                self.will_wait()
                jobs.push(self._go_on)
                break
            if not self._inputs:
                self._give_rest()
                continue
            source = self._inputs[-1]
            if source.iterator is None:
                self._read(source)
                continue
            try:
                if self._loop_over(source, source.iterator):
                    self._items_are_over(source)
            except BaseException as error:
                self._iterator_failed(source, error)
        self._is_running = False

    def will_wait(self) -> None:
        """Wait for something: a job will go on."""
        self.jobs.leave_run()
        self._is_waiting = True

    def _go_on(self) -> None:
        self._is_waiting = False
        if self._state == OPEN and not self._is_running:
            self._run()

    def _loop_over(self, source: Input, iterator: Iterator[Any]) -> bool:
        """Do what `_pass_on` does for item after item, without calls as far as it is usual; whether the end came."""
        jobs = self.jobs
        first = source.position
        plan, tail = self._plans.get(first) or self._plans.setdefault(first, plan_from(self._steps, first))
        left = jobs.countdown
        index = 0
        try:
            for item in iterator:
                left -= 1
                if type(item) not in NEVER_AWAITABLE and is_awaitable(item):
                    self._await_item(source, item)
                    return False
                value = item
                try:
                    for kind, function, index in plan:
                        result = function(value)
                        if type(result) in NEVER_AWAITED or kind == OWN or not is_awaitable(result):
                            if kind <= MAP:
                                if result is SKIP:
                                    break
                                value = result
                            elif not result and kind == FILTER:
                                break
                            continue
                        self._resume(result, value, index)
                        if self._has_stepped_aside(source):
                            return False
                        break
                    else:
                        if tail >= 0:
                            self._pass_on(value, tail)
                            if self._has_stepped_aside(source):
                                return False
                        elif self._state == OPEN:
                            self.put(value)
                except BaseException as error:
                    self._fail(index, error)
                if left <= 0 or not self._is_asked or source.iterator is not iterator:
                    return False
        finally:
            jobs.countdown = min(left, jobs.countdown)
        return True

    def _has_stepped_aside(self, source: Input) -> bool:
        """Whether what a function gave comes before the next item of an input."""
        return self._is_waiting or (bool(self._inputs) and self._inputs[-1] is not source)

    def _items_are_over(self, source: Input) -> None:
        if source.may_have_more():
            self.will_wait()
            source.wait_for_item()
        else:
            self._input_has_ended(source)

    def _read(self, source: Input) -> None:
        """Find out how to ask an input that may be an iterator, or ask the stream."""
        self.root._disturbed = True
        self._between.disturb()
        if source.tries_to_share > 0:
            if source.share_iterator():
                return
            source.tries_to_share -= 1
            if may_share_soon(self.root):
                self.will_wait()
                self.jobs.push(self._go_on)
                return
            source.tries_to_share = 0
        if not self.reads_stream:
            self.reads_stream = True
            self.jobs.leave_run()
        if source.has_plenty():
            self._take(source, source.take_of_many())
        else:
            self._is_waiting = True
            source.ask()

    # A stream.

    def asks_stream(self) -> bool:
        """Whether the chunks come from a stream, or will: there is no iterator that could be asked without it."""
        source = self._inputs[0] if self._inputs else None
        return source is not None and source.position == 0 and (source.is_stream() or not may_be_shared(self.root))

    def input(self) -> Input:
        """Return what stands for the stream (`asks_stream`)."""
        return self._inputs[0]

    def receiver(self) -> Receiver | None:
        """Return who gets the chunks."""
        return self._receiver

    def is_fed(self) -> bool:
        """Whether it is a stream whose chunks pass the steps, and each gives one chunk at most."""
        if not self.reads_stream or self._state != OPEN or self._ending is not None or len(self._inputs) != 1:
            return False
        source = self._inputs[0]
        return source.position == 0 and source.is_stream() and self.gives_one_by_one()

    def gives_one_by_one(self) -> bool:
        """Whether each step gives one chunk at most for one."""
        return not any(step.kind == EXPAND for step in self._steps)

    def input_gave(self, source: Input, chunk: Any) -> None:
        """A chunk has come."""
        if self._state == OPEN:
            self._is_waiting = False
            self._is_running = True
            self._take(source, chunk)
            self.was_fed()

    def _take(self, source: Input, chunk: Any) -> None:
        if source.position == 0:
            self.feed(chunk, self.output)
        else:
            self._pass_on(chunk, source.position)

    def _feed(self, chunk: Any, output: object) -> None:
        self._pass_on(chunk, 0)

    def was_fed(self) -> None:
        """Do what follows a chunk of a stream: ask for the next one, if one is still wanted."""
        self._is_running = False
        if self._is_asked and not self._is_waiting:
            self._ask_input()

    def _pass_on(self, value: Any, index: int) -> None:
        """Have a chunk pass the steps from `index` on."""
        steps = self._steps
        count = len(steps)
        while index < count:
            step = steps[index]
            try:
                result = step.function(value)
            except BaseException as error:
                self._fail(index, error)
                return
            if type(result) not in NEVER_AWAITABLE and step.may_wait and is_awaitable(result):
                self._resume(result, value, index)
                return
            kind = step.kind
            if kind == MAP:
                if result is SKIP:
                    return
                value = result
            elif kind == FILTER:
                if not result:
                    return
            elif kind == EXPAND:
                self._expand(result, index)
                return
            elif kind == TAKE and step.is_full():
                self._stop_inputs(index)
            index += 1
        if self._state == OPEN:
            self._give(value)

    def _give(self, chunk: Any) -> None:
        run = self.jobs.run
        if run is not None and self.output is not None and self._inputs and self._inputs[-1].iterator is None:
            # A chunk of a stream: see feed().
            if run.take_more(self.output, chunk) or run.take(self.output, chunk):
                return
            chunk = run.intercept(self.output, chunk)
        self.put(chunk)

    def put(self, chunk: Any) -> None:
        """Give a chunk that has passed all steps to the receiver."""
        receiver = self._receiver
        assert receiver is not None
        self._is_asked = False
        receiver.take_chunk(chunk)
        if self._ending is not None and not self._is_asked and self._is_used_up():
            self._end()

    def _expand(self, iterable: Any, index: int) -> None:
        """Go on with the items of what a function of ``flat_map()`` gave."""
        if iterable is SKIP or self._state != OPEN:
            return
        try:
            self._inputs.append(inner_input(self, self.jobs, index + 1, iterable))
        except BaseException as error:
            self._fail(index, error)

    # Functions that are waited for.

    def function_returned(self, result: Any, chunk: Any, index: int) -> None:
        """See `Waiter`."""
        if self._state == OPEN:
            self._is_waiting = False
            self._is_running = True
            self._follow(result, chunk, index)
            self._run()

    def function_failed(self, error: object, index: int) -> None:
        """See `Waiter`."""
        if self._state == OPEN:
            note_stage(error, self._steps[index].function, "function")
            self._fail_with(index, error)

    def item_came(self, item: Any) -> None:
        """See `Waiter`."""
        if self._state == OPEN:
            self._is_waiting = False
            self._is_running = True
            self._pass_on(item, self._inputs[-1].position)
            self._run()

    def _await_item(self, source: Input, item: Any) -> None:
        """Wait for an awaitable item of an iterator."""
        if source.reader is not None:
            self.will_wait()
            source.wait_for_awaitable(item)
        else:
            index = source.position - 1
            self._awaited.wait_for_item(item, index, self._steps[index].context)

    def _resume(self, awaitable: Any, value: Any, index: int) -> None:
        """Go on with what an awaitable gives: now or later."""
        result = self._awaited.result_of(awaitable, value, index, self._steps[index].context)
        if result is not WAITING:
            self._follow(result, value, index)

    def _follow(self, result: Any, value: Any, index: int) -> None:
        """Go on with what the function of a step has given for a chunk."""
        kind = self._steps[index].kind
        if kind == EXPAND:
            self._expand(result, index)
        elif kind == MAP:
            if result is not SKIP:
                self._pass_on(result, index + 1)
        elif kind == TAP or result:
            self._pass_on(value, index + 1)

    # What inputs tell later.

    def input_ended(self) -> None:
        """There will be no more."""
        if self._state == OPEN:
            self._is_waiting = False
            self._input_has_ended(self._inputs[-1])
            self._run()

    def input_failed(self, error: object) -> None:
        """The input is errored."""
        if self._state == OPEN:
            self._is_waiting = False
            failed = self._inputs.pop()
            failed.end()
            self._fail_with(failed.position - 1, error)

    # Ending.

    def _input_has_ended(self, source: Input) -> None:
        self._inputs.pop()
        if not self._inputs:
            self._ending = self._ending or 0
        if source.iterator is not None and source.reader is not None:
            self.jobs.leave_run()
            controller: Any = self.root._controller
            controller._close()
        source.end()

    def _iterator_failed(self, source: Input, error: BaseException) -> None:
        self.jobs.leave_run()
        stored = stored_error(error)
        if self._state == OPEN:
            self._inputs.pop()
            if source.reader is not None:
                note_stage(stored, source.iterator, "pull()")
                controller: Any = self.root._controller
                controller._error(stored)
            else:
                note_stage(stored, self._steps[source.position - 1].function, "function")
            source.end()
            self._fail_with(source.position - 1, stored)
        if goes_through(error):
            raise error

    def _give_rest(self) -> None:
        """The input has ended: have what the steps keep pass the steps behind them; then tell the end."""
        assert self._ending is not None
        while self._ending < len(self._steps):
            index = self._ending
            self._ending += 1
            rest = self._steps[index].rest()
            if self._steps[index].kind == EXPAND and rest is not SKIP:
                self._expand(rest, index)
                return
            if rest is not SKIP:
                self._pass_on(rest, index + 1)
                return
        self._end()

    def _is_used_up(self) -> bool:
        """Whether the end comes next: no step has anything left."""
        assert self._ending is not None
        return not self._inputs and not any(step.has_rest() for step in self._steps[self._ending :])

    def _end(self) -> None:
        """Tell the end, when what was cancelled has ended."""
        self.will_wait()
        self._finish()
        if not self._closing:
            self._tell_end()
        else:
            wait_for_all(self.jobs, self._closing)._react(self._tell_end, self._tell_error)

    def _finish(self) -> None:
        self._state = DONE
        self._is_asked = False

    def _tell_end(self, _: Any = None) -> None:
        self._between.end(None, 0)
        assert self._receiver is not None
        self._receiver.take_end()

    def _tell_error(self, error: object) -> None:
        self._between.end(error, -1)
        assert self._receiver is not None
        self._receiver.take_error(error)

    def _stop_inputs(self, index: int) -> None:
        """A step has had enough: cancel what feeds it; inputs behind it go on."""
        self.jobs.leave_run()
        self._ending = index + 1
        stopped = [each for each in self._inputs if each.position <= index]
        del self._inputs[: len(stopped)]
        self._between.close(index)
        self._closing += self._cancel_inputs(stopped, None)

    def _fail(self, index: int, error: BaseException) -> None:
        """The function of a step has raised an exception."""
        if self._state == OPEN:
            stored = stored_error(error)
            note_stage(stored, self._steps[index].function, "function")
            self._fail_with(index, stored)
        if goes_through(error):
            raise error

    def _fail_with(self, index: int, error: object) -> None:
        """Error what comes behind a step, and cancel what feeds it (-1: the stream itself is errored)."""
        self.jobs.leave_run()
        self._finish()
        inputs, self._inputs = self._inputs, []
        self._between.close(index)
        for each in self._cancel_inputs(inputs, error):
            each._mark_handled()
        self._tell_error(error)

    def cancel(self, reason: object) -> Promise[Any] | None:
        """Nobody wants the rest: cancel the inputs with the reason, and the call of a function that is waited for."""
        self.jobs.leave_run()
        if self._state != OPEN:
            return wait_for_all(self.jobs, self._closing) if self._closing else None
        self._finish()
        inputs, self._inputs = self._inputs, []
        self._between.close(len(self._steps))
        promises = self._cancel_inputs(inputs, reason) + self._closing
        call = self._awaited.cancel()
        if call is not None:
            promises.append(call)
        if len(promises) == 1:
            return promises[0]
        return wait_for_all(self.jobs, promises) if promises else None

    def _cancel_inputs(self, inputs: list[Input], reason: object) -> list[Promise[Any]]:
        promises: list[Promise[Any]] = []
        for each in inputs[::-1]:
            try:
                promise = each.cancel(reason)
            except BaseException as error:
                promise = promise_of_failure(self.jobs, error)
            if promise is not None:
                promises.append(promise)
        return promises
