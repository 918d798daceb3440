"""The code of a period: Python that makes its calls one after the other, without a loop over them.

The last step of a tracing just-in-time path. `Performer` goes through the rows of any period; for one that has run
often, `emit` makes functions that make the same calls with the same guards. Their text depends only on the shape of the
rows, so that each shape is compiled once in a process. The compiled build does without: its loop is quicker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from os.path import dirname, join
from textwrap import indent
from typing import Any, Final

from .._engine.promise import END_OF_ITERATION, NEVER_AWAITABLE
from .graph import AS_ALWAYS, LOOK_AFTER, OUT_OF_TIME, Raised, Row, Segment

# Where tracebacks say that the code is; the rest of the package is told by its folder and by its name, too.
FILE_NAME: Final = join(dirname(__file__), "<period>")
MODULE_NAME: Final = f"{__name__}.<period>"
# What the code refers to, besides the objects of the period.
KNOWN: Final = {
    "AS_ALWAYS": AS_ALWAYS, "END_OF_ITERATION": END_OF_ITERATION, "NEVER_AWAITABLE": NEVER_AWAITABLE,
    "OUT_OF_TIME": OUT_OF_TIME, "Raised": Raised,
}  # fmt: skip

# The text for more takes too long to compile: other tasks have to have their turn.
MAX_CALLS = 16
# What is done for a row, and the objects that its text refers to, by these names and the number of the row.
PASS_ON: Final = "pass on"
DELIVER: Final = "deliver"
ITEM: Final = "item"
CALL: Final = "call"
NAMES: Final = ("step", "function", "controller", "giver", "output", "chunks")
ITEM_NAMES: Final = ("step", "iterator", "controller", "giver", "output", "source")
# Of each row: what is done, where its chunk is (None: there is none), whether the callback is expected to enqueue a
# chunk, and whether it is a coroutine function.
RowShape = tuple[str, int | None, bool, bool]

# The texts do what `Performer._perform` does.
CALLING = """\
run.current = step{0}
{expecting}try:
    result = function{0}({arguments})
except BaseException as error:
    {stopping}return Raised(error)
{completing}if result is not None or run.expecting is not None or pending:
{linking}    {stopping}return {result}
"""
# And this what `PipelineRun._following` does where a callback has filtered its chunk, and what follows is linked.
LINKING = """\
    if result is None and run.expecting is giver{0} and not pending:
        steps = links.get(step{0})
        if steps is not None and {may_go_on}:
            run.expecting = None
            {steps} = steps
            continue
"""
GOES_ON_ONCE: Final = "run.may_skip(job_count)"
# Where periods repeat, none goes on with other steps where they end, or where the clock is looked at.
GOES_ON: Final = f"period < last and ~period & {LOOK_AFTER - 1}"
# And here what `IterableSource._give_next` does, and `Run.take`.
GIVING_ITEM = """\
run.current = step{0}
run.expecting = giver{0}
try:
    item = next(iterator{0}, END_OF_ITERATION)
except BaseException as error:
    source{0}.iterator_raised(error)
else:
    if type(item) in NEVER_AWAITABLE and run.expecting is giver{0} and not pending:
        run.expecting = None
        output{0}.append(item)
    else:
        source{0}.put_next(controller{0}, item)
if run.expecting is not None or pending:
    {stopping}return None
"""
FUNCTIONS = """\
def bind({parameters}):
    usual = {steps}

    def once(run):
        pending = run.pending
{once}
        return AS_ALWAYS

    def repeat(run, count):
        pending = run.pending
        time_is_up = run.time_is_up
{begin}
        for period in range(count):
            if not period & {look_mask} and period and time_is_up():
                run.done = period
                return OUT_OF_TIME
{repeat}
        return AS_ALWAYS

    return once, repeat
"""


def emit(segment: Segment) -> None:
    """Make the functions for the calls of a period, unless they are too many."""
    rows, drain, links = segment.rows, segment.drain, segment.links
    if not 0 < len(rows) <= MAX_CALLS:
        return
    bound: list[object] = [] if drain is None else [drain.history, drain.store]
    if links:
        bound += [links, segment.job_count]
    for row in rows:
        bound += _objects_of(row)
    segment.once, segment.repeat = _binder(tuple(map(_shape_of, rows)), drain is not None, bool(links))(*bound)


def kind_of(row: Row) -> str:
    """Return what is done for a row."""
    step, function, controller, giver, *_ = row
    if function is None:
        return PASS_ON if controller is None else DELIVER
    return ITEM if step.stage.items is not None and giver is controller else CALL


def _shape_of(row: Row) -> RowShape:
    _, _, _, giver, _, chunks, index, by_coroutine = row
    return kind_of(row), None if chunks is None else index, giver is not None, by_coroutine


def _objects_of(row: Row) -> tuple[object, ...]:
    """Return the objects of a row, in the order of their names."""
    step, function, controller, giver, output, chunks, _, _ = row
    source = step.stage.items if kind_of(row) == ITEM else None
    if source is None:
        return step, function, controller, giver, output, chunks
    return step, source._iterator, controller, giver, output, source


@cache
def _binder(shape: tuple[RowShape, ...], drains: bool, is_linked: bool) -> Callable[..., Any]:
    """Return what makes the functions for the objects of a period of this shape."""
    parameters = ["history", "store"] if drains else []
    if is_linked:
        parameters += ["links", "job_count"]
    for number, (kind, *_) in enumerate(shape):
        parameters += (f"{name}{number}" for name in (ITEM_NAMES if kind == ITEM else NAMES))
    # The move of the last period.
    move = "if period:\n    history.append(store.popleft())\n" if drains else ""
    steps = "".join(f"step{number}, " for number, (kind, *_) in enumerate(shape) if makes_a_call(kind))
    once = "".join(_lines(shape, "", GOES_ON_ONCE if is_linked else "", steps))
    repeat = move + "".join(_lines(shape, "run.done = period\n    ", GOES_ON if is_linked else "", steps))
    begin = ""
    if is_linked:
        # The steps are those of the state in which a period begins.
        begin = f"last = count - 1\n{steps} = usual\n"
        once = f"{steps} = usual\nwhile True:\n{indent(once, ' ' * 4)}    break\n"
        repeat = f"{repeat}{steps} = usual\n"
    text = FUNCTIONS.format(
        parameters=", ".join(parameters),
        look_mask=LOOK_AFTER - 1,
        steps=steps or "()",
        begin=indent(begin, " " * 8),
        once=indent(once, " " * 8),
        repeat=indent(repeat, " " * 12),
    )
    names: dict[str, Any] = {"__name__": MODULE_NAME, **KNOWN}
    exec(compile(text, FILE_NAME, "exec"), names)
    binder: Callable[..., Any] = names["bind"]
    return binder


def makes_a_call(kind: str) -> bool:
    """Whether a callback is called, or an iterator asked."""
    return kind in (CALL, ITEM)


def _lines(shape: tuple[RowShape, ...], stopping: str, may_go_on: str, steps: str) -> Iterator[str]:
    for number, (kind, index, is_expected, by_coroutine) in enumerate(shape):
        if kind == PASS_ON:
            yield f"output{number}.append(chunks{number}[{index}])\n"
        elif kind == DELIVER:
            yield f"controller{number}(chunks{number}[{index}])\n"
        elif kind == ITEM:
            yield GIVING_ITEM.format(number, stopping=stopping)
        else:
            chunk = "" if index is None else f"chunks{number}[{index}], "
            may_filter = is_expected and not by_coroutine and may_go_on
            yield CALLING.format(
                number,
                arguments=f"{chunk}controller{number}",
                expecting=f"run.expecting = giver{number}\n" if is_expected else "",
                completing="result = run._outcome(result)\n" if by_coroutine else "",
                linking=LINKING.format(number, may_go_on=may_go_on, steps=steps) if may_filter else "",
                result="result" if by_coroutine else "None if result is None else run._outcome(result)",
                stopping=stopping,
            )
