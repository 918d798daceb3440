"""The benchmarks do what they say: every scenario moves all of its chunks. Nothing is timed here."""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from pathlib import Path

import pytest

import webstreams
from benchmarks import __main__ as program
from benchmarks import bounded, chains, chart, files, growth, operators, shapes, stall
from benchmarks import lines as cutting
from benchmarks.catalogue import GROWTH, ROWS
from benchmarks.endtoend import __main__ as endtoend
from benchmarks.endtoend import catalogue
from benchmarks.installing import JAVASCRIPT, Folder
from benchmarks.measuring import load, measure, once
from benchmarks.results import Results, geometric_mean, save
from benchmarks.running import QUICK, measure_rows
from benchmarks.subjects import PEERS, MeasuringError, Subject
from benchmarks.tables import all_tables, number
from benchmarks.turns import Turns

CHUNKS = 37
LIBRARY = ".scenarios:SCENARIOS"
ROW_NAMES = [row.name for row in ROWS]
DONE_BY = [(place, row) for place in (LIBRARY, *PEERS.values()) for row in load(place)]


@pytest.mark.parametrize(("place", "row"), DONE_BY)
async def test_all_chunks_arrive(place: str, row: str) -> None:
    assert await load(place)[row](CHUNKS) == CHUNKS


def test_the_library_does_every_row() -> None:
    assert list(load(LIBRARY)) == ROW_NAMES


@pytest.mark.parametrize("place", PEERS.values(), ids=PEERS)
def test_peers_do_no_other_rows(place: str) -> None:
    assert set(load(place)) <= set(ROW_NAMES)


def test_javascript_has_the_same_scenarios() -> None:
    text = "".join(
        path.read_text(encoding="utf-8").partition("export const scenarios = {")[2]
        for path in sorted(JAVASCRIPT.glob("*.mjs"))
    )
    assert set(re.findall(r'^ *"?([a-z0-9-]+)"?: ', text, re.MULTILINE)) == set(ROW_NAMES)


async def test_measuring_gives_a_rate_for_each_run() -> None:
    rates = await measure(load(LIBRARY)["pipe-1"], 1000, 0)
    assert len(rates) == 3
    assert min(rates) > 0


async def test_measuring_refuses_lost_chunks() -> None:
    async def lose_one(chunks: int) -> int:
        return chunks - 1

    with pytest.raises(RuntimeError, match="36 chunks arrived, not 37"):
        await once(lose_one, CHUNKS)


@pytest.mark.parametrize("what", GROWTH)
async def test_growth_moves_all_chunks(what: str) -> None:
    for size in GROWTH[what][:2]:
        scenario, chunks = growth.plan(what, size)
        assert chunks >= size
        assert await scenario(size * 10) == size * 10


async def test_idle_streams_weigh_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "IDLE_STREAMS", 20)
    weights = await growth.idle()
    assert list(weights) == ["ReadableStream", "WritableStream", "TransformStream"]
    assert min(weights.values()) > 0


@pytest.mark.parametrize("way", files.WAYS)
def test_files_are_copied(way: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(files.CHUNK * 2 + 1))
    files.WAYS[way](source, target)
    assert target.read_bytes() == source.read_bytes()


class Fixed(Subject):
    """A subject that always has the same rates."""

    def measure(self, row: str, chunks: int, seconds: float) -> list[float]:
        if self.kind == "broken":
            raise MeasuringError("no such class")
        return [1e6, 4e6, 2e6] if self.kind == "pure" else [8e6]


@pytest.fixture
def results() -> Results:
    kinds = ["pure", "node", "broken"]
    subjects = [Fixed(kind, kind, "1.2.3", frozenset(["pipe-1", "from"])) for kind in kinds]
    found = Results([row for row in ROWS if row.name in ("pipe-1", "from", "tee")], subjects)
    measure_rows(found, QUICK)
    return found


def test_results_are_medians_and_ratios(results: Results) -> None:
    assert results.rate("pipe-1", "pure") == 2e6
    assert results.ratio("pipe-1", "pure", "node") == 0.25
    assert results.ratios(results.rows, "pure", "node") == [0.25, 0.25]
    assert results.rate("tee", "pure") is None
    assert results.ratio("tee", "pure", "node") is None
    assert results.failures == ["from, broken: no such class", "pipe-1, broken: no such class"]


def test_geometric_mean() -> None:
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1)


def test_tables_say_what_was_found(results: Results) -> None:
    lines = all_tables(results).splitlines()
    assert lines[0] == "| million chunks per second | pure 1.2.3 | node 1.2.3 | broken 1.2.3 |"
    assert "| `pipe_to`, high-water mark 1 | 2 | 8 |  |" in lines
    assert "| **geometric mean** | 0.25 |  |" in lines
    assert "| **lowest, piped** | 0.25 |  |" in lines


@pytest.mark.parametrize(("value", "text"), [(None, ""), (0.1234, "0.123"), (12.34, "12.3"), (1234.5, "1234")])
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_record_and_chart(results: Results, tmp_path: Path) -> None:
    record, picture = tmp_path / "results.json", tmp_path / "chart.svg"
    save(record, results.as_dict())
    assert json.loads(record.read_text())["rows"]["pipe-1"]["rates"]["pure"]["chunks_per_second"] == 2e6
    turns, jobs = Turns("MB for a second"), tmp_path / "jobs.json"
    turns.add("pure 3.11", "copy a file", 600.0)
    turns.add("Node", "copy a file", 200.0)
    turns.save(jobs)
    chart.main([str(jobs), str(record), str(picture)])
    text = picture.read_text(encoding="utf-8")
    assert "pipe_to, high-water mark 1" in text
    assert "MB for a second" in text
    assert "copy a file" in text
    assert text.startswith("<?xml")


def test_folders_know_what_they_were_made_of(tmp_path: Path) -> None:
    folder = Folder("test", ["1"])
    folder.path = tmp_path / "folder"
    folder._stamp = folder.path / "made-of.txt"
    assert not folder.is_right()
    folder.clear()
    folder.finish()
    assert folder.is_right()
    folder._digest = Folder("test", ["2"])._digest
    assert not folder.is_right()


def test_command_line() -> None:
    options = program.parse_arguments(["--rows", "pipe-1,files", "--engines", "checkout,all", "--quick", "-n", "7"])
    assert options.rows == ["pipe-1", "files"]
    assert options.engines[:3] == ["checkout", "pure", "compiled"]
    assert program.amounts_of(options).chunks == 7
    assert program.amounts_of(options).rounds == 1


def test_command_line_refuses_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        program.parse_arguments(["--rows", "pipe-2"])
    assert "there is no 'pipe-2'" in capsys.readouterr().err


def test_a_consumer_that_stands_still(capsys: pytest.CaptureFixture[str]) -> None:
    assert stall.main(["--seconds", "0.2"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split()[0] for row in rows] == ["sockets", "sockets", "http", "http"]
    assert all(row.endswith("all bytes came") for row in rows)


async def test_ways_to_cut_lines() -> None:
    rows = list(await cutting.rows(1, 1))
    assert len(rows) == 2 + len(cutting.WAYS)
    assert all(row.count("|") == 2 + len(cutting.LINES) for row in rows)


@pytest.mark.parametrize("way", chains.WAYS)
async def test_chains_give_all_that_is_wanted(way: str) -> None:
    assert await chains.microseconds(chains.WAYS[way], 100) > 0


@pytest.mark.parametrize("way", bounded.WAYS)
async def test_ways_to_run_several_calls(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this library stops the calls each time; that the others take time to tell of a failure is not asserted."""
    for name, value in {
        "CHUNKS": 40,
        "TRIVIAL": 40,
        "LONG": 0.02,
        "SHORT": 0.0001,
        "PAUSE": 0.001,
        "PATIENCE": 0,
    }.items():
        monkeypatch.setattr(bounded, name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the others
        found = await bounded.measure(bounded.WAYS[way], 1)
        for key in bounded.FIRST:
            found |= await bounded.measure_first(bounded.WAYS[way], key)
    assert set(found) == {row.key for row in operators.ROWS}
    if way == "webstreams":
        assert (found["break"], found["cancel"], found["left"]) == (0, 0, 0)


def test_operators_are_compared() -> None:
    best = {"break": 0.0, "cancel": 0.0, "failure": 0.001, "left": 0.0, "slow": 2.0}
    best |= dict.fromkeys([row.key for row in operators.ROWS if row.key not in best], 4.0)
    found = {"pure 3.11.7": best, "aiostream": {key: value + 1 for key, value in best.items()}, "p-map (Node)": best}
    costs = {
        "pure 3.11.7": {"generators": 0.5, "operators": 1.0, "operators over a generator": 1.5, "transforms": 20.0}
    }
    assert list(operators.shortcomings(found, costs)) == []
    assert "| calls left running then | 0 | 1 | 0 |" in list(operators.bounded_table(found))
    assert list(operators.chains_table(costs))[-1] == "| pure 3.11.7 | 0.50 | 1.00 | 1.50 | 20.00 | 2.00 | 0.05 |"
    found["streamable"] = {**best, "loop_first": 3.0}
    costs["pure 3.11.7"]["operators"] = 2.0
    assert [text.partition(":")[0] for text in operators.shortcomings(found, costs)] == [
        "pure 3.11.7 is not the best in",
        "pure 3.11.7",
    ]


def test_an_interpreter_is_measured_in_a_process_of_its_own() -> None:
    runner = operators.Runner("this one", Path(sys.executable), str(Path(webstreams.__file__).parent.parent))
    assert runner.measure("chains", "operators", "50")["microseconds"] > 0


def test_whole_jobs_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    endtoend.main(["--scale", "0.002", "--turns", "1", "--rounds", "1"])
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head.endswith(" | Python by hand |")
    assert [row.split("|")[1].strip() for row in rows] == [row.title for row in catalogue.ROWS]
    assert all(float(cell) > 0 for row in rows for cell in row.split("|")[2:-1])


def test_shapes_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    shapes.main(["--chunks", "500", "--rounds", "1", "--turns", "1"])
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].startswith("| microseconds a chunk |")
    assert len(rows) == 2 + len(shapes.SOURCES) * len(shapes.ENDS)
    assert all(float(row.split("|")[2]) > 0 for row in rows[2:])
