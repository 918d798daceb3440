"""Port of streams/transferable/reason.html."""

from __future__ import annotations

import json
import math
from typing import Any

from webstreams import AbortError
from wpt_ports.harness import Test, add_port, promise_test
from wpt_ports.resources.realms import Realm, everywhere, until
from wpt_ports.resources.recording_streams import RecordingReadableStream

# JavaScript's words for the values, and Python's.
SIMPLE: dict[str, Any] = {
    "hi": "hi",
    "\t\r\n": "\t\r\n",
    "7": 7,
    "3": 3.0,
    "undefined": None,
    "null": None,
    "true": True,
    "false": False,
    "NaN": math.nan,
    "Infinity": math.inf,
}
ERRORS: dict[str, type[Exception]] = {
    "RangeError": ValueError,
    "ReferenceError": ReferenceError,
    "SyntaxError": SyntaxError,
    "TypeError": TypeError,
}


async def transferred_reason(realm: Realm, reason: object) -> Any:
    """``getTransferredReason``: what the original's cancel() gets."""
    original = RecordingReadableStream()
    await realm.transfer(original)
    await realm.call("cancel", reason)
    await until(lambda: original.events_without_pulls)
    return original.events_without_pulls[1]


def port_for_a_value(word: str, value: Any) -> None:
    """Register the port for a simple value."""

    async def run(t: Test) -> None:
        async with everywhere() as realms:
            for realm in realms:
                reason = await transferred_reason(realm, value)
                assert type(reason) is type(value)
                assert repr(reason) == repr(value)  # NaN is not equal to itself

    add_port(__name__, f"reason with a simple value of '{word}' should be preserved", run)


def port_for_an_error(name: str, kind: type[Exception]) -> None:
    """Register the port for a class of errors."""

    async def run(t: Test) -> None:
        async with everywhere() as realms:
            for realm in realms:
                reason = await transferred_reason(realm, kind("nope"))
                assert type(reason) is kind, "reason should have the right class"
                assert str(reason) == "nope", "message should match"

    add_port(__name__, f"{name} should be preserved", run)


for each in SIMPLE.items():
    port_for_a_value(*each)
for pair in ERRORS.items():
    port_for_an_error(*pair)


@promise_test("objects that can be completely expressed in JSON should be preserved")
async def json_objects(t: Test) -> None:
    text = '{"foo": [1, "col"], "bar": {"hoge": 0.2, "baz": {}, "shan": null}}'
    async with everywhere() as realms:
        for realm in realms:
            assert json.dumps(await transferred_reason(realm, json.loads(text))) == text, "object should be preserved"


@promise_test("objects that cannot be expressed in JSON should also be preserved")
async def circular_objects(t: Test) -> None:
    circular: dict[str, Any] = {}
    circular["self"] = circular
    async with everywhere() as realms:
        for realm in realms:
            reason = await transferred_reason(realm, circular)
            assert reason["self"] is reason, "the object should have a circular reference"


@promise_test("the type and message of a TypeError should be preserved")
async def type_and_message(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            reason = await transferred_reason(realm, TypeError("hi"))
            assert type(reason) is TypeError, "type should be preserved"
            assert reason.args == ("hi",), "message should be preserved"


@promise_test("DOMException errors should be preserved")
async def dom_exceptions(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            reason = await transferred_reason(realm, AbortError("yes"))
            assert type(reason) is AbortError, "reason should be an AbortError"
            assert str(reason) == "yes", "the messages should match"
