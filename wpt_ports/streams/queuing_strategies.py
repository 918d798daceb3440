"""Port of streams/queuing-strategies.any.js."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

from webstreams import ByteLengthQueuingStrategy, CountQueuingStrategy
from wpt_ports.harness import Test, add_port, assert_throws_exactly, assert_throws_js, same, test

# Pairs of a high water mark and the number that Web IDL's "unrestricted double" makes of it.
high_water_mark_conversions: list[tuple[Any, float]] = [
    (-math.inf, -math.inf),
    (-5, -5.0),
    (False, 0.0),
    (True, 1.0),
    (math.nan, math.nan),
    ("foo", math.nan),
    ("0", 0.0),
    ({}, math.nan),
    (lambda: None, math.nan),
]


class Convertible:
    """An object with a numeric value."""

    def __init__(self, value: float) -> None:
        self._value = value

    def __float__(self) -> float:
        return self._value


class RaisesWhenConverted:
    """An object whose numeric value raises `error`."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __float__(self) -> float:
        raise self._error


def check_valid_high_water_mark(strategy_class: Any) -> None:
    strategy_class(high_water_mark=4)


def check_strange_arguments(strategy_class: Any) -> None:
    error = Exception("wow!")
    assert_throws_js(TypeError, strategy_class, "construction fails without arguments")
    assert_throws_js(TypeError, lambda: strategy_class(None), "construction fails with None")
    assert_throws_js(TypeError, lambda: strategy_class(True), "construction fails with True")
    assert_throws_js(TypeError, lambda: strategy_class(5), "construction fails with 5")
    assert_throws_js(TypeError, lambda: strategy_class({}), "construction fails with {}")
    assert_throws_exactly(
        error,
        lambda: strategy_class(high_water_mark=RaisesWhenConverted(error)),
        "construction fails with a high_water_mark that raises when it is converted",
    )
    assert strategy_class(high_water_mark=Convertible(1.0)).high_water_mark == 1


def check_high_water_mark_conversions(strategy_class: Any) -> None:
    for given, expected in high_water_mark_conversions:
        actual = strategy_class(high_water_mark=given).high_water_mark
        both_nan = math.isnan(expected) and math.isnan(actual)
        assert both_nan or actual == expected, f"{given!r} became {actual!r}"


def check_same_size_function(strategy_class: Any) -> None:
    size1 = strategy_class(high_water_mark=5).size
    size2 = strategy_class(high_water_mark=10).size
    assert size1 is size2


def check_size_name(strategy_class: Any) -> None:
    assert strategy_class(high_water_mark=5).size.__name__ == "size"


def check_subclassing(strategy_class: Any) -> None:
    class SubClass(strategy_class):  # type: ignore[misc]
        def size(self) -> int:
            return 2

        def sub_class_method(self) -> bool:
            return True

    strategy = SubClass(high_water_mark=77)
    assert type(strategy).__name__ == "SubClass", "the name of the class should be correct"
    assert strategy.high_water_mark == 77, "high_water_mark should come from the parent class"
    assert strategy.size() == 2, "size() on the subclass should override the parent"
    assert strategy.sub_class_method(), "sub_class_method() should work"


checks: list[tuple[str, Callable[[Any], None]]] = [
    ("Can construct a with a valid high water mark", check_valid_high_water_mark),
    ("Constructor behaves as expected with strange arguments", check_strange_arguments),
    (
        "highWaterMark constructor values are converted per the unrestricted double rules",
        check_high_water_mark_conversions,
    ),
    ("size is the same function across all instances", check_same_size_function),
    ("size should have the right name", check_size_name),
    ("subclassing should work correctly", check_subclassing),
]


def register_check(strategy_class: Any, title: str, check: Callable[[Any], None]) -> None:
    async def checks_strategy(t: Test) -> None:
        check(strategy_class)

    add_port(__name__, f"{strategy_class.__name__}: {title}", checks_strategy)


for checked_class in (CountQueuingStrategy, ByteLengthQueuingStrategy):
    for check_title, check_function in checks:
        register_check(checked_class, check_title, check_function)


# The two size functions.


def required_parameters(function: Callable[..., Any]) -> int:
    """What ``length`` says of a JavaScript function: how many arguments it cannot do without."""
    parameters = inspect.signature(function).parameters.values()
    return sum(parameter.default is parameter.empty for parameter in parameters)


class Chunk:
    byte_length = 1024


class ChunkWithGetter:
    @property
    def byte_length(self) -> int:
        return 1024


class ChunkWithRaisingGetter:
    def __init__(self, error: Exception) -> None:
        self._error = error

    @property
    def byte_length(self) -> int:
        raise self._error


@test("CountQueuingStrategy: size should have the right length")
def count_size_parameters(t: Test) -> None:
    assert required_parameters(CountQueuingStrategy(high_water_mark=5).size) == 0


@test("ByteLengthQueuingStrategy: size should have the right length")
def byte_length_size_parameters(t: Test) -> None:
    assert required_parameters(ByteLengthQueuingStrategy(high_water_mark=5).size) == 1


@test("CountQueuingStrategy: size behaves as expected with strange arguments")
def count_size_of_strange_chunks(t: Test) -> None:
    size: Any = CountQueuingStrategy(high_water_mark=5).size
    assert size() == 1, "size gives 1 without a chunk"
    assert size(None) == 1, "size gives 1 for None"
    assert size("potato") == 1, "size gives 1 for a string"
    assert size({}) == 1, "size gives 1 for an empty object"
    assert size(Chunk()) == 1, "size gives 1 for a chunk"
    assert size(ChunkWithGetter()) == 1, "size gives 1 for a chunk with a getter"
    assert size(ChunkWithRaisingGetter(Exception("wow!"))) == 1, "size gives 1 for a chunk with a getter that raises"


@test("ByteLengthQueuingStrategy: size behaves as expected with strange arguments")
def byte_length_size_of_strange_chunks(t: Test) -> None:
    error = Exception("wow!")
    size: Any = ByteLengthQueuingStrategy(high_water_mark=5).size
    assert_throws_js(TypeError, size, "size fails without a chunk")
    assert_throws_js(TypeError, lambda: size(None), "size fails for None")
    assert same(size("potato"), None), "size gives None for a string, which has no length in bytes"
    assert same(size({}), None), "size gives None for an object without a length in bytes"
    assert size(Chunk()) == 1024, "size gives the length of a chunk that has one"
    assert size(ChunkWithGetter()) == 1024, "size gives the length of a chunk that has a getter for it"
    assert_throws_exactly(error, lambda: size(ChunkWithRaisingGetter(error)), "size fails with the error of the getter")
