"""Every operator through every way in which a stream can end: the input is cancelled once, and nothing is left."""

from __future__ import annotations

import asyncio

from tests.faults.helpers import failure, quiet, soon, turns
from tests.grids import by_key, each_of
from webstreams import ReadableStream

from .table import BOOM, KINDS, OPERATORS, PLACES, Numbers, Operator, settle

FAILING = {name: each for name, each in OPERATORS.items() if each.failing is not None}


every_place = each_of(place=PLACES)
every_kind = each_of(kind=KINDS)
every_operator = each_of(operator=by_key(OPERATORS))


@every_kind
@every_operator
@every_place
async def test_end(operator: Operator, kind: str, place: str) -> None:
    source = KINDS[kind]()
    stream = source.stream()
    with quiet(0):
        result = PLACES[place](stream, operator.apply)
        assert stream.locked
        assert await soon(result.list()) == operator.result
        assert source.cancellations == []
        assert not stream.locked
        assert not result.locked
        await settle()


@every_kind
@every_operator
@every_place
async def test_error_of_the_source(operator: Operator, kind: str, place: str) -> None:
    source = KINDS[kind](2, "error")
    stream = source.stream()
    with quiet(0):
        result = PLACES[place](stream, operator.apply)
        assert await failure(result.list()) is BOOM
        assert source.cancellations == []
        assert not stream.locked
        assert await failure(stream.get_reader().read()) is BOOM
        assert await failure(result.get_reader().closed) is BOOM
        await settle()


@every_kind
@each_of(operator=by_key(FAILING))
@every_place
async def test_error_of_the_function(operator: Operator, kind: str, place: str) -> None:
    source = KINDS[kind](100)
    stream = source.stream()
    with quiet(0):
        assert operator.failing is not None
        result = PLACES[place](stream, operator.failing)
        assert await failure(result.list()) is BOOM
        await settle()
        assert source.cancellations == [BOOM if kind == "source" else None]
        assert not stream.locked
        assert (await soon(stream.get_reader().read())).done


@every_kind
@every_operator
@every_place
async def test_cancel(operator: Operator, kind: str, place: str) -> None:
    source = KINDS[kind](100)
    stream = source.stream()
    reason = object()
    with quiet(0):
        result = PLACES[place](stream, operator.apply)
        reader = result.get_reader()
        assert (await soon(reader.read())).value == operator.result[0]
        await soon(reader.cancel(reason))
        assert source.cancellations == [reason if kind == "source" else None]
        assert source.pulls <= operator.reads
        assert not stream.locked
        assert (await soon(reader.read())).done
        await settle()


@every_operator
@every_place
async def test_cancel_before_the_first_read(operator: Operator, place: str) -> None:
    source = Numbers()
    stream = source.stream()
    reason = object()
    with quiet(0):
        await soon(PLACES[place](stream, operator.apply).cancel(reason))
        assert source.cancellations == [reason]
        assert source.pulls == 0
        assert not stream.locked
        await settle()


@every_kind
@every_operator
@every_place
async def test_break(operator: Operator, kind: str, place: str) -> None:
    source = KINDS[kind](100)
    stream = source.stream()
    with quiet(0):
        result = PLACES[place](stream, operator.apply)
        async for chunk in result:
            assert chunk == operator.result[0]
            break
        await settle()
        assert source.cancellations == [None]
        assert source.pulls <= operator.reads
        assert not stream.locked
        assert not result.locked


@every_operator
@every_place
async def test_the_task_is_cancelled(operator: Operator, place: str) -> None:
    source = Numbers(0, "nothing")
    stream = source.stream()
    with quiet(0):
        result = PLACES[place](stream, operator.apply)
        task = asyncio.ensure_future(_iterate(result))
        await turns(10)
        assert source.pulls == 1
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        del task
        await settle()
        assert source.cancellations == [None]
        assert not stream.locked


@every_operator
@every_place
async def test_a_silent_source(operator: Operator, place: str) -> None:
    source = Numbers(0, "nothing")
    stream = source.stream()
    reason = object()
    with quiet(0):
        reader = PLACES[place](stream, operator.apply).get_reader()
        reads = [reader.read(), reader.read()]
        await turns(10)
        assert not reads[0].done()
        assert source.pulls == 1
        await soon(reader.cancel(reason))
        assert [(await soon(read)).done for read in reads] == [True, True]
        assert source.cancellations == [reason]
        assert not stream.locked
        await settle()


@every_operator
@every_place
async def test_nothing_is_read_ahead(operator: Operator, place: str) -> None:
    source = Numbers(100)
    with quiet(0):
        reader = PLACES[place](source.stream(), operator.apply).get_reader()
        await turns(10)
        assert source.pulls == 0
        for number in range(1, 4):
            await soon(reader.read())
            await turns(10)
            assert source.pulls <= number * operator.reads
        await soon(reader.cancel())
        await settle()


async def _iterate(stream: ReadableStream[object]) -> None:
    async for _ in stream:
        pass
