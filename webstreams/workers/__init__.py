"""Stages of pipelines in processes, interpreters and threads of their own, with backpressure.

Not imported by ``import webstreams``. A worker runs a function over chunks that come and go under credits: at most
`window` of them are under way in each direction, however fast one side is.
"""

from __future__ import annotations

from ._errors import RemoteError, WorkerDied
from ._stage import Stage, worker, workers

__all__ = ["RemoteError", "Stage", "WorkerDied", "worker", "workers"]
