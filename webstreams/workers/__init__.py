"""Stages of pipelines in processes, interpreters and threads of their own, with backpressure.

Not imported by ``import webstreams``. A worker runs a function over chunks that come and go under credits: at most
`window` of them are under way in each direction, however fast one side is. Streams themselves can be transferred, too:
into other threads and processes, over the ports of `message_channel`.
"""

from __future__ import annotations

from ._errors import RemoteError, WorkerDied
from ._port import Port, message_channel
from ._stage import Stage, worker, workers
from ._transfer import receive, transfer

__all__ = ["Port", "RemoteError", "Stage", "WorkerDied", "message_channel", "receive", "transfer", "worker", "workers"]
