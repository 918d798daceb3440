"""What the fast path has to know of each moving part of a pipeline; it is declared in the class of the part.

`_fastpath` copies the state of all parts and puts it back. It takes *every* slot, except those that the class names in
`_constant`: a slot that somebody adds and forgets is copied needlessly, not lost. docs/architecture/fast-path.md says
what must be kept; tests/mutants tries what happens if it is not.
"""

from __future__ import annotations

from typing import ClassVar, NoReturn

from .._engine.jobs import Job
from .._platform.mypyc import mypyc_attr, trait
from .._platform.staying import refuse_pickling


@trait
@mypyc_attr(allow_interpreted_subclasses=True)
class Part:
    """Something of a pipeline that changes while chunks pass: a stream, a controller, a queue, a reader, a pipe."""

    __slots__ = ()

    # The slots of this very class that a snapshot does not take: those that hold the same object for as long as chunks
    # pass (links to other parts, jobs that are made once, what moves at the begin and at the end only, when
    # `pipeline.is_ordinary` says that there are no periods), caches, and what no job of a period looks at. Each class
    # with slots of its own has its own tuple.
    _constant: ClassVar[tuple[str, ...]] = ()
    # The slots of this very class that hold a chunk or None, or a deque of chunks.
    _chunk_slots: ClassVar[tuple[str, ...]] = ()

    def __reduce__(self) -> NoReturn:
        """Refuse pickling and copying: a stream moves by `webstreams.workers.transfer`. Raises `TypeError`."""
        refuse_pickling(self)

    def _ends_with_callback(self, job: Job) -> bool:
        """Whether a job of this part may call a callback, and does nothing after that has returned.

        Only from such jobs, and from the reads of pipes, a callback is called that a trace understands.
        """
        return False
