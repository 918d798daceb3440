"""Port of streams/transform-streams/lipfuzz.any.js."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from webstreams import Promise, TransformStream
from wpt_ports.harness import Test, promise_test

TAG = re.compile(r"\{\{([a-zA-Z0-9_-]+)\}\}")
PARTIAL_TAG_AT_END = re.compile(r"\{(\{([a-zA-Z0-9_-]+(\})?)?)?\Z")

SUBSTITUTIONS = {
    "in1": "out1",
    "in2": "out2",
    "quine": "{{quine}}",
    "bogusPartial": "{{incompleteResult}",
}


class LipFuzzTransformer:
    """Replaces every ``{{tag}}``, also one that is spread over several chunks."""

    def __init__(self, substitutions: Mapping[str, str]) -> None:
        self.substitutions = substitutions
        self.partial_chunk = ""
        self.last_index = 0

    def transform(self, chunk: str, controller: Any) -> None:
        """Enqueue `chunk` with its tags replaced; keep back what may be the start of a tag."""
        self.last_index = 0
        text = TAG.sub(self._replace_tag, self.partial_chunk + chunk)
        # What was substituted is not searched again.
        match = PARTIAL_TAG_AT_END.search(text, self.last_index)
        end = len(text) if match is None else match.start()
        self.partial_chunk = text[end:]
        controller.enqueue(text[:end])

    def flush(self, controller: Any) -> None:
        """Enqueue what was kept back."""
        if self.partial_chunk:
            controller.enqueue(self.partial_chunk)

    def _replace_tag(self, match: re.Match[str]) -> str:
        replacement = self.substitutions.get(match[1], "")
        self.last_index = match.start() + len(replacement)
        return replacement


CASES: list[tuple[list[str], list[str]]] = [
    ([""], [""]),
    ([], []),
    (["{{in1}}"], ["out1"]),
    (["z{{in1}}"], ["zout1"]),
    (["{{in1}}q"], ["out1q"]),
    (["{{in1}}{{in1}"], ["out1", "{{in1}"]),
    (["{{in1}}{{in1}", "}"], ["out1", "out1"]),
    (["{{in1", "}}"], ["", "out1"]),
    (["{{", "in1}}"], ["", "out1"]),
    (["{", "{in1}}"], ["", "out1"]),
    (["{{", "in1}"], ["", "", "{{in1}"]),
    (["{"], ["", "{"]),
    (["{", ""], ["", "", "{"]),
    (["{", "{", "i", "n", "1", "}", "}"], ["", "", "", "", "", "", "out1"]),
    (["{{in1}}{{in2}}{{in1}}"], ["out1out2out1"]),
    (["{{wrong}}"], [""]),
    (["{{wron", "g}}"], ["", ""]),
    (["{{quine}}"], ["{{quine}}"]),
    (["{{bogusPartial}}"], ["{{incompleteResult}"]),
    (["{{bogusPartial}}}"], ["{{incompleteResult}}"]),
]


def register(written: list[str], expected: list[str]) -> None:
    """Register the port for one row of `CASES`."""

    @promise_test(f'testing "{",".join(written)}" (length {len(written)})')
    async def substitutes(t: Test) -> None:
        ts = TransformStream[Any, Any](LipFuzzTransformer(SUBSTITUTIONS))
        writer = ts.writable.get_writer()
        promises: list[Any] = [writer.write(chunk) for chunk in written]
        promises.append(writer.close())
        promises.append(check_chunks(ts.readable.get_reader(), expected))
        await Promise.all(promises)


async def check_chunks(reader: Any, expected: list[str]) -> None:
    """Read exactly the `expected` chunks, then the end."""
    await Promise.resolve(None)
    for chunk in expected:
        assert await reader.read() == (chunk, False), f"expected {chunk!r}"
    assert (await reader.read()).done, "the end"


for case in CASES:
    register(*case)
