"""The figures in README, in the page of speed and in the pictures are those of the runs that are kept as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from benchmarks.chart import main as draw_chart
from benchmarks.tables import number
from docs.pictures.cost import costs

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
SPEED = ROOT / "docs" / "speed.md"
CONCURRENCY = ROOT / "docs" / "guides" / "concurrency.md"
TABLE = re.compile(r"(?:^\|.*\|\n)+", re.MULTILINE)


def table_of(page: Path, *heads: str) -> dict[str, dict[str, str]]:
    """Return the one table of a page whose head has these words: rows by title, cells by the head of their column."""
    found = []
    for match in TABLE.finditer(page.read_text(encoding="utf-8")):
        lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in match[0].splitlines()]
        if all(head in lines[0] for head in heads):
            rows = ((line[0].replace("`", ""), line[1:]) for line in lines[2:])
            found.append({title: dict(zip(lines[0][1:], cells, strict=True)) for title, cells in rows})
    (table,) = found
    return table


def kept(name: str) -> dict[str, Any]:
    """Return what a run has measured."""
    found: dict[str, Any] = json.loads((ROOT / "benchmarks" / name).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("page", [README, SPEED], ids=lambda page: page.name)
def test_whole_jobs(page: Path) -> None:
    medians = kept("endtoend.json")["medians"]
    table = table_of(page, "Python by hand", "Bun")
    assert {column for row in table.values() for column in row} == set(medians)
    assert table == {
        row: {column: number(rates[row]) for column, rates in medians.items()} for row in medians["pure 3.11.2"]
    }


def test_shapes() -> None:
    medians = kept("shapes.json")["medians"]
    table = table_of(SPEED, "microseconds a chunk", "Node / pure 3.11.2")
    means = table.pop("geometric mean")
    for row, cells in table.items():
        for column, rates in medians.items():
            assert cells[column] == f"{1e6 / rates[row]:.2f}"
            if column != "Node":
                assert cells[f"Node / {column}"] == f"{rates[row] / medians['Node'][row]:.2f}"
    assert table.keys() == medians["Node"].keys()
    text = " ".join(README.read_text(encoding="utf-8").split())
    assert (
        f"are {means['Node / pure 3.11.2']} times as fast in pure Python and {means['Node / compiled 3.11.2']} times "
        f"compiled (geometric mean; {means['Node / pure 3.13.5']} and {means['Node / compiled 3.13.5']} on Python 3.13)"
    ) in text


def test_single_steps() -> None:
    results = kept("results.json")
    names = [subject["name"] for subject in results["subjects"]]
    table = table_of(SPEED, "million chunks per second", "pure 3.11.2")
    found = [list(cells.values()) for cells in table.values()]
    rates = [row["rates"] for row in results["rows"].values()]
    assert found == [[number(rate[name]["chunks_per_second"], 1e6) for name in names] for rate in rates]


def numbers_and_rest(picture: str) -> tuple[list[float], str]:
    """Return the numbers of a picture, and everything else, without the names that are made of exact numbers."""
    text = re.sub(r"(?<=#)p[0-9a-f]+|(?<=id=\")p[0-9a-f]+", "", picture)
    number = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
    return [float(each) for each in number.findall(text)], number.sub("", text)


@pytest.mark.parametrize(
    ("runs", "name"), [(("endtoend", "shapes", "results"), "chart"), (("shapes",), "shapes")], ids=["chart", "shapes"]
)
def test_a_chart_is_what_its_program_draws(runs: tuple[str, ...], name: str, tmp_path: Path) -> None:
    drawn = tmp_path / "chart.svg"
    with matplotlib.rc_context():
        draw_chart([*(str(ROOT / "benchmarks" / f"{run}.json") for run in runs), str(drawn)])
    numbers, rest = numbers_and_rest((ROOT / "benchmarks" / f"{name}.svg").read_text(encoding="utf-8"))
    drawn_numbers, drawn_rest = numbers_and_rest(drawn.read_text(encoding="utf-8"))
    assert rest == drawn_rest
    assert numbers == pytest.approx(drawn_numbers, abs=0.5)


def test_the_picture_of_costs() -> None:
    picture = (ROOT / "docs" / "pictures" / "cost.svg").read_text(encoding="utf-8")
    found = costs(kept("results.json"))
    assert re.findall(r">(\d\.\d\d)</text>", picture) == [
        f"{cost:.2f}" for row in found.values() for cost in row.values()
    ]


def test_what_a_call_that_does_nothing_costs() -> None:
    """README rounds the table of the guide."""
    table = table_of(CONCURRENCY, "aiostream", "streamable")
    row = table["µs of processor time for a call that does nothing, the first 10,000 of a process, a loop"]
    pure, compiled, aiostream, streamable, node = map(float, row.values())
    warm = float(list(table["the best of 10,000 again and again, a loop"].values())[-1])
    text = " ".join(README.read_text(encoding="utf-8").split())
    assert (
        f"costs {pure:.1f} µs, compiled {compiled:.1f}; in p-map on Node {node:.1f} (warm: {warm:.1f}), "
        f"in streamable {streamable:.0f}, in aiostream {aiostream:.0f}."
    ) in text
