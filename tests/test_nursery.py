"""A fork of the nursery is a process like any other that runs a Python program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.nursery import ForkedPopen

pytestmark = [
    pytest.mark.usefixtures("from_nursery"),
    pytest.mark.skipif(sys.platform != "linux", reason="forks become our children on Linux only"),
]

IS_FORKED = "import sys; print('webstreams' in sys.modules)"


def run(*command: str, **options: Any) -> Any:
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=60, check=False, **options
    )


def test_its_streams_arguments_folder_and_environment_are_those_that_it_was_given(tmp_path: Path) -> None:
    program = """
import os, sys
print(sys.argv, os.getcwd(), os.environ.get("ONLY"), "HOME" in os.environ, __name__, sys.stdin.read())
print("error", file=sys.stderr)
"""
    done = run("-c", program, "one", "two", cwd=tmp_path, env={"ONLY": "this"}, input="text")
    expected = f"['-c', 'one', 'two'] {tmp_path} this False __main__ text\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "error\n")


def test_it_is_a_fork_unless_it_would_start_otherwise() -> None:
    assert run("-c", IS_FORKED).stdout == "True\n"
    assert run("-W", "error", "-c", IS_FORKED).stdout == "True\n"
    assert run("-I", "-c", IS_FORKED).stdout == "False\n"
    assert run("-c", IS_FORKED, env={**os.environ, "WEBSTREAMS_FAST_PATHS": "check"}).stdout == "False\n"
    assert run("-c", IS_FORKED, preexec_fn=lambda: None).stdout == "False\n"
    assert subprocess.run(["echo", "no Python"], capture_output=True, check=True).stdout == b"no Python\n"


@pytest.mark.parametrize(
    ("program", "status", "last"),
    [
        ("pass", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('why')", 1, "why\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import os; os._exit(7)", 7, ""),
        ("raise KeyboardInterrupt", -signal.SIGINT, "KeyboardInterrupt\n"),
        ("import atexit; atexit.register(print, 'end')", 0, ""),
    ],
)
def test_it_ends_as_an_interpreter_does(program: str, status: int, last: str) -> None:
    done = run("-c", program)
    assert done.returncode == status
    assert done.stderr.endswith(last) if last else done.stderr == ""
    assert done.stdout == ("end\n" if "atexit" in program else "")


def test_a_module_is_run() -> None:
    done = run("-m", "json.tool", input='{"a":1}')
    assert (done.returncode, done.stdout, done.stderr) == (0, '{\n    "a": 1\n}\n', "")


def test_warnings_are_errors_where_that_is_asked_for() -> None:
    program = "import warnings; warnings.warn('careful')"
    assert run("-c", program).returncode == 0
    assert run("-W", "error", "-c", program).returncode == 1


def test_it_has_the_descriptors_that_are_passed_and_no_others() -> None:
    theirs, ours = os.pipe()
    program = f"import os; print(os.listdir('/proc/self/fd'), os.read({theirs}, 100))"
    os.write(ours, b"text")
    found, _, text = run("-c", program, pass_fds=[theirs]).stdout.rpartition("] ")
    os.close(theirs)
    os.close(ours)
    assert text == "b'text'\n"
    listed = {int(each.strip(" '[")) for each in found.split(",")}
    assert {0, 1, 2, theirs} <= listed
    assert len(listed) == 5  # and that of the list itself


@pytest.mark.parametrize(("option", "leads"), [("start_new_session", True), ("process_group", True), ("", False)])
def test_its_group_is_the_one_that_was_asked_for(option: str, leads: bool) -> None:
    options = {option: 0 if option == "process_group" else True} if option else {}
    program = "import os; print(os.getpid() == os.getpgrp(), os.getpid() == os.getsid(0), os.getppid())"
    leads_session = option == "start_new_session"
    assert run("-c", program, **options).stdout == f"{leads} {leads_session} {os.getpid()}\n"


def test_a_real_interrupt_ends_it() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    program = "import time; print('ready', flush=True); time.sleep(100)"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        signal.signal(signal.SIGINT, before)
        assert isinstance(process, ForkedPopen)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert errors.endswith("KeyboardInterrupt\n")
