"""Which build of the package runs."""

from __future__ import annotations

from types import FunctionType
from typing import Final

from .jobs import queue_microtask

compiled: Final = not isinstance(queue_microtask, FunctionType)
