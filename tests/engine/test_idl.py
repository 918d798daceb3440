"""The conversions of Web IDL by themselves: numbers, members of dictionaries, callbacks."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

import webstreams
from tests.grids import each_of
from webstreams._platform.idl import (
    MAX_SAFE_INTEGER,
    callback_member,
    do_nothing,
    is_non_negative_number,
    member_getter,
    to_enforced_integer,
    to_number,
)
from webstreams.observe import Pipeline


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3), (2.5, 2.5), (True, 1), ("1.5", 1.5), (Fraction(1, 2), 0.5), (Decimal("0.25"), 0.25), (math.inf, math.inf)],
)
def test_what_is_like_a_number_becomes_one(value: Any, number: float) -> None:
    assert to_number(value) == number


@pytest.mark.parametrize("value", [None, "many", [], {}, object(), math.nan])
def test_anything_else_becomes_nan(value: Any) -> None:
    assert math.isnan(to_number(value))
    assert not is_non_negative_number(to_number(value))


@pytest.mark.parametrize(("value", "accepted"), [(0, True), (-0.0, True), (math.inf, True), (-1e-9, False)])
def test_a_number_may_not_be_negative(value: float, accepted: bool) -> None:
    assert is_non_negative_number(value) is accepted


@pytest.mark.parametrize(
    ("value", "integer"),
    [(0, 0), (7, 7), (MAX_SAFE_INTEGER, MAX_SAFE_INTEGER), (2.9, 2), (-0.9, 0), ("12", 12), (True, 1)],
)
def test_an_enforced_integer_is_cut_towards_zero(value: Any, integer: int) -> None:
    result = to_enforced_integer(value, "the size")
    assert (result, type(result)) == (integer, int)


@pytest.mark.parametrize("value", [-1, MAX_SAFE_INTEGER + 1, math.nan, math.inf, -math.inf, None, "many", object()])
def test_an_enforced_integer_has_a_range(value: Any) -> None:
    with pytest.raises(TypeError, match="the size must be a non-negative integer, not"):
        to_enforced_integer(value, "the size")


@pytest.mark.parametrize("dictionary", [{"pull": 1}, SimpleNamespace(pull=1)])
def test_members_come_from_mappings_and_attributes(dictionary: Any) -> None:
    get = member_getter(dictionary, "underlying source")
    assert (get("pull", None), get("cancel", None)) == (1, None)


def test_no_dictionary_has_no_members() -> None:
    assert member_getter(None, "underlying source")("pull", None) is None


def test_a_callback_is_callable_or_absent() -> None:
    members: dict[str, Any] = {"pull": do_nothing, "cancel": None, "start": 5}
    assert callback_member(members.get, "pull", "underlying source") is do_nothing
    assert callback_member(members.get, "cancel", "underlying source") is None
    with pytest.raises(TypeError, match="the underlying source's start must be callable, not int"):
        callback_member(members.get, "start", "underlying source")


# The classes whose objects only the library makes, and what it says about where they come from.
NOT_CONSTRUCTED: list[tuple[Any, str]] = [
    (webstreams.AbortSignal, "streams make theirs"),
    (webstreams.ConnectionServer, r"serve_tcp\(\) and serve_unix\(\) return one"),
    (webstreams.LineStream, r"call lines\(\)"),
    (webstreams.Process, r"open_process\(\) returns one"),
    (webstreams.ReadableByteStreamController, "streams make theirs"),
    (webstreams.ReadableStreamAsyncIterator, r"call values\(\) of the stream"),
    (webstreams.ReadableStreamBYOBRequest, "streams make theirs"),
    (webstreams.ReadableStreamDefaultController, "streams make theirs"),
    (webstreams.Shared, r"share\(\) returns one"),
    (webstreams.Subscription, "streams make theirs"),
    (webstreams.TransformStreamDefaultController, "streams make theirs"),
    (webstreams.WritableStreamDefaultController, "streams make theirs"),
    (Pipeline, r"observe\(\) returns one"),
]


@each_of(each=NOT_CONSTRUCTED, arguments=[(), (3,), (lambda resolve, reject: None, False)])
def test_a_class_without_a_constructor_says_where_its_objects_come_from(
    each: tuple[Any, str], arguments: tuple[Any, ...]
) -> None:
    kind, cure = each
    if kind is webstreams.AbortSignal:
        arguments = arguments[:1]
    with pytest.raises(TypeError, match=f"^{kind.__name__} cannot be constructed: .*{cure}"):
        kind(*arguments)
