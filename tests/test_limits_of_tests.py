"""conftest.py: a test that hangs, or takes all memory, fails and harms no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

HANGS = """
import asyncio, pytest

async def never_ends():
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            pass

async def test_leaves_a_task_that_refuses_to_end():
    asyncio.get_running_loop().kept = asyncio.create_task(never_ends())
    await asyncio.Event().wait()

@pytest.fixture
async def stuck():
    yield
    await asyncio.Event().wait()

async def test_has_a_fixture_that_hangs(stuck):
    await asyncio.sleep(0)

def test_passes():
    assert True
"""

LOOPS = """
import asyncio, uvloop

def pytest_asyncio_loop_factories(config, item):
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
"""

GREEDY = """
def test_takes_all():
    taken = []
    while len(taken) < 100:
        taken.append(bytes(100_000_000) + b"x")

def test_passes():
    assert True
"""


LEAVES_A_CHILD = """
import subprocess, sys, warnings

def test_leaves_a_child():
    warnings.simplefilter("ignore", ResourceWarning)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])

def test_passes():
    assert True
"""


def run(folder: Path, program: str, *options: str) -> tuple[str, int]:
    """Run pytest with a file of tests, and the project's conftest.py; give the last line and the exit status."""
    (folder / "test_it.py").write_text(program)
    (folder / "conftest.py").write_text((ROOT / "conftest.py").read_text() + LOOPS)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, "test_it.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    return done.stdout.splitlines()[-1], done.returncode


def test_a_test_that_hangs_ends(tmp_path: Path) -> None:
    last, code = run(tmp_path, HANGS, "--timeout=2")
    assert last.strip("= ").startswith("2 failed, 3 passed, 4 errors")
    assert code == 1


def test_a_test_that_takes_all_memory_ends(tmp_path: Path) -> None:
    last, code = run(tmp_path, GREEDY, "--timeout=60")
    assert "1 failed, 1 passed" in last
    assert code == 1


if sys.platform == "linux":  # which lists the children of a process

    def test_a_test_that_leaves_a_child_fails_itself(tmp_path: Path) -> None:
        (tmp_path / "children.py").write_text((ROOT / "tests/children.py").read_text().replace("= 30.0", "= 0.1"))
        fixture = (
            (ROOT / "tests/conftest.py").read_text().split("@pytest.fixture(autouse=True)\n")[1].split("\n\n\n")[0]
        )
        own = (
            "import pytest\nfrom children import end_children, running_children\nfrom collections.abc import Iterator\n"
        )
        (tmp_path / "plugin.py").write_text(own + "@pytest.fixture(autouse=True)\n" + fixture)
        last, code = run(tmp_path, LEAVES_A_CHILD, "-p", "plugin")
        assert "2 passed, 1 error" in last
        assert code == 1
