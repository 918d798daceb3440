"""Jobs that run some jobs later: what stands for a chain of promises that only one reaction follows."""

from __future__ import annotations

from .jobs import Job, JobQueue


class Delay:
    """A job that has another one run by a later job.

    If nothing can come between them, it runs that job itself: nobody can tell the difference.
    """

    __slots__ = ("_later", "_queue", "job")

    def __init__(self, queue: JobQueue, later: Job, job: Job) -> None:
        self._queue = queue
        # The next one, which may be a delay, too; and the one that is delayed.
        self._later = later
        self.job = job

    def __call__(self) -> None:
        """Queue the next job, or run the last one."""
        queue = self._queue
        if queue.is_alone and not queue.jobs:
            self.job()
        else:
            queue.jobs.append(self._later)


def after(queue: JobQueue, ticks: int, job: Job) -> Job:
    """Return a job that has `job` run `ticks` jobs later: what a chain of so many promises takes."""
    later = job
    for _ in range(ticks):
        later = Delay(queue, later, job)
    return later
