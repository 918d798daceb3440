"""What the tests of `share` use."""

from __future__ import annotations

from typing import Any, Literal

Policy = Literal["wait", "error", "drop-oldest", "drop-newest"]
POLICIES: list[Policy] = ["wait", "error", "drop-oldest", "drop-newest"]
ERROR = ValueError("of the source")


async def _drain(reader: Any) -> list[Any]:
    chunks = []
    while not (result := await reader.read()).done:
        chunks.append(result.value)
    return chunks
