"""Every public name has a complete type: none is missing, and none is left for each type checker to infer."""

from __future__ import annotations

import webstreams

from .checkers import pyright


def test_the_types_of_all_public_names_are_complete() -> None:
    report = pyright("--verifytypes", "webstreams", "--ignoreexternal")["typeCompleteness"]
    assert "pyTypedPath" in report, "pyright does not find the installed package, or no py.typed in it"
    symbols = report["symbols"]
    assert {f"webstreams.{name}" for name in webstreams.__all__} <= {symbol["name"] for symbol in symbols}
    incomplete = {
        symbol["name"]: [each["message"] for each in symbol["diagnostics"]]
        for symbol in symbols
        if not symbol["isTypeKnown"]
    }
    assert incomplete == {}
    assert report["completenessScore"] == 1
