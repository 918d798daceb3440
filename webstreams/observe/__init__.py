"""See where a pipeline waits: its topology, what each stage does with its time, and the bottleneck by name.

`observe` any stream of a pipeline, or the promise of ``pipe_to()``; `label` names a stage. Nothing here costs anything
as long as nothing is observed. Not in the Standard.
"""

from __future__ import annotations

from ._names import label
from ._pipeline import Pipeline, observe
from ._statistics import Snapshot, StageStatistics

__all__ = ["Pipeline", "Snapshot", "StageStatistics", "label", "observe"]
